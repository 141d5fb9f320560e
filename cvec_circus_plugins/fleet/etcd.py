"""etcd, over its JSON gateway.

The gateway is part of every etcd since 3.3, so that a kept HTTP client is all that is needed; the
clients that speak gRPC bring a compiled package of thirty megabytes, and block or are not kept.
Every request goes to one endpoint, and to the next one when that does not answer. A request that
may have been done before the connection broke is not sent again: those who ask decide.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from cvec_circus_core.api import escaped
from cvec_circus_plugins.fleet.etcd_codec import (
    SignedOut,
    changes_in,
    content_of,
    prefix_range,
    revision_of,
    snapshot_of,
    transaction,
)
from cvec_circus_plugins.fleet.store import Change, Guard, LeaseExpired, Snapshot, StoreFailure

try:
    import httpx
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    raise ModuleNotFoundError(
        "the package httpx is missing, pip install 'cvec-circus[fleet]' brings it", name="httpx"
    ) from None

ANSWER_SECONDS = 3.0
"""How long a request may take at one endpoint."""
_CONNECT_SECONDS = 1.5

# A watch says nothing for hours. That its other end is gone is told by the kernel.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
]
for _name, _value in (
    *(("TCP_KEEPIDLE", 3), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)),
    ("TCP_USER_TIMEOUT", 6000),
):
    if hasattr(socket, _name):
        _KEEPALIVE.append((socket.IPPROTO_TCP, getattr(socket, _name), _value))

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they tell of every request


class EtcdStore:
    """Keys of an etcd cluster."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoints = [endpoint.rstrip("/") for endpoint in endpoints]
        self._first = 0
        self._user, self._password, self._token = user, password, ""
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=tls if tls is not None else True, socket_options=_KEEPALIVE
            ),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        )

    async def read(self, *prefixes: str) -> Snapshot:
        """Return all keys below some prefixes."""
        ranges = [{"request_range": prefix_range(prefix)} for prefix in prefixes]
        return snapshot_of(await self._post("/v3/kv/txn", {"success": ranges}, may_repeat=True))

    async def write(
        self,
        values: Mapping[str, str | None],
        *,
        lease: int = 0,
        guards: Sequence[Guard] = (),
    ) -> int:
        """Write keys in one transaction."""
        body = transaction(values, lease, guards)
        reply = await self._post("/v3/kv/txn", body)
        return revision_of(reply) if reply.get("succeeded") else 0

    async def grant(self, seconds: int) -> int:
        """Return a new lease."""
        return int((await self._post("/v3/lease/grant", {"TTL": str(seconds)}))["ID"])

    async def renew(self, lease: int) -> float:
        """Make a lease good for its whole time again."""
        reply = await self._post("/v3/lease/keepalive", {"ID": str(lease)}, may_repeat=True)
        seconds = float(reply.get("result", {}).get("TTL", 0))
        if seconds <= 0:
            raise LeaseExpired(f"lease {lease:x} has expired")
        return seconds

    async def revoke(self, lease: int) -> None:
        """End a lease."""
        try:
            await self._post("/v3/lease/revoke", {"ID": str(lease)}, may_repeat=True)
        except LeaseExpired:
            return

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Sequence[Change]]:
        """Yield changes from a revision on."""
        create = {**prefix_range(prefix), "start_revision": str(revision), "progress_notify": True}
        await self._sign_in()
        endpoint = self._endpoints[self._first]
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=_CONNECT_SECONDS, read=None)
        try:
            async with self._client.stream(
                "POST",
                f"{endpoint}/v3/watch",
                json={"create_request": create},
                headers=self._headers,
                timeout=timeout,
            ) as response:
                async for line in response.aiter_lines():
                    if changes := changes_in(line):
                        yield changes
        except httpx.HTTPError as error:
            self._turn_away(endpoint)
            raise StoreFailure(f"{endpoint}: {_reason(error)}") from None
        self._turn_away(endpoint)
        raise StoreFailure(f"{endpoint}: the watch has ended")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._token} if self._token else {}

    async def _sign_in(self) -> None:
        if self._user and not self._token:
            body = {"name": self._user, "password": self._password}
            reply = await self._ask("/v3/auth/authenticate", body, may_repeat=True)
            self._token = reply["token"]

    async def _post(
        self, path: str, body: Mapping[str, Any], *, may_repeat: bool = False
    ) -> dict[str, Any]:
        await self._sign_in()
        try:
            return await self._ask(path, body, may_repeat=may_repeat)
        except SignedOut:
            self._token = ""
            await self._sign_in()
            return await self._ask(path, body, may_repeat=may_repeat)

    async def _ask(self, path: str, body: Mapping[str, Any], *, may_repeat: bool) -> dict[str, Any]:
        failure = ""
        for _ in self._endpoints:
            endpoint = self._endpoints[self._first]
            may_go_on = may_repeat
            try:
                response = await self._client.post(
                    endpoint + path, json=body, headers=self._headers
                )
                return content_of(response.text, response.status_code, endpoint)
            except SignedOut:
                raise
            except StoreFailure as error:
                failure = str(error)
            except httpx.HTTPError as error:
                failure = f"{endpoint}: {_reason(error)}"
                may_go_on = may_repeat or isinstance(error, httpx.ConnectError)
            self._turn_away(endpoint)
            if not may_go_on:
                break
        raise StoreFailure(failure)

    def _turn_away(self, endpoint: str) -> None:
        if self._endpoints[self._first] == endpoint:
            self._first = (self._first + 1) % len(self._endpoints)


def tls_context(cafile: str = "", certfile: str = "", keyfile: str = "") -> ssl.SSLContext | None:
    """Return how servers are checked, and who we are to them. Raises OSError."""
    if not (cafile or certfile):
        return None
    context = ssl.create_default_context(cafile=cafile or None)
    if certfile:
        context.load_cert_chain(certfile, keyfile or None)
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "does not answer in time"
    return escaped(str(error) or type(error).__name__)
