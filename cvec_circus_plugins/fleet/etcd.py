"""etcd, over its JSON gateway.

The gateway is part of every etcd since 3.3, so that a kept HTTP client is all that is needed; the
clients that speak gRPC bring a compiled package of thirty megabytes, and block or are not kept.
Every request goes to one endpoint, and to the next one when that does not answer. A request that
may have been done before the connection broke is not sent again: those who ask decide.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NoReturn

from cvec_circus_core.api import escaped
from cvec_circus_plugins.fleet.store import (
    Change,
    Entry,
    Guard,
    HistoryLost,
    LeaseExpired,
    Snapshot,
    StoreFailure,
)

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

_UNAUTHENTICATED = 16


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

    async def read(self, prefix: str) -> Snapshot:
        """Return all keys below a prefix."""
        reply = await self._post("/v3/kv/range", _range(prefix), may_repeat=True)
        entries = (_entry(kv) for kv in reply.get("kvs", ()))
        return Snapshot({entry.key: entry for entry in entries}, _revision(reply))

    async def write(
        self,
        values: Mapping[str, str | None],
        *,
        lease: int = 0,
        guards: Sequence[Guard] = (),
    ) -> int:
        """Write keys in one transaction."""
        body = {
            "compare": [
                {
                    "key": _coded(guard.key),
                    "target": "CREATE",
                    "result": "EQUAL",
                    "create_revision": str(guard.created_at),
                }
                for guard in guards
            ],
            "success": [_write_operation(key, value, lease) for key, value in values.items()],
        }
        reply = await self._post("/v3/kv/txn", body)
        return _revision(reply) if reply.get("succeeded") else 0

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
        create = {**_range(prefix), "start_revision": str(revision), "progress_notify": True}
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
                    if changes := _changes(line):
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
        except _SignedOut:
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
                return _content(response, endpoint)
            except _SignedOut:
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


class _SignedOut(StoreFailure):
    """The token is not good any more."""


def tls_context(cafile: str = "", certfile: str = "", keyfile: str = "") -> ssl.SSLContext | None:
    """Return how servers are checked, and who we are to them. Raises OSError."""
    if not (cafile or certfile):
        return None
    context = ssl.create_default_context(cafile=cafile or None)
    if certfile:
        context.load_cert_chain(certfile, keyfile or None)
    return context


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")


def _range(prefix: str) -> dict[str, str]:
    # The end of a prefix is the prefix with its last byte counted up.
    raw = prefix.encode()
    end = raw[:-1] + bytes([raw[-1] + 1])
    return {"key": _coded(prefix), "range_end": base64.b64encode(end).decode()}


def _write_operation(key: str, value: str | None, lease: int) -> dict[str, Any]:
    if value is None:
        return {"request_delete_range": {"key": _coded(key)}}
    put = {"key": _coded(key), "value": _coded(value)}
    if lease:
        put["lease"] = str(lease)
    return {"request_put": put}


def _entry(kv: Mapping[str, Any]) -> Entry:
    return Entry(
        key=_decoded(kv["key"]),
        value=_decoded(kv.get("value", "")),
        created_at=int(kv["create_revision"]),
        changed_at=int(kv["mod_revision"]),
        lease=int(kv.get("lease", 0)),
    )


def _revision(reply: Mapping[str, Any]) -> int:
    return int(reply["header"]["revision"])


def _changes(line: str) -> list[Change]:
    if not line.strip():
        return []
    message = json.loads(line)
    if "error" in message:
        _refuse(message["error"] if isinstance(message["error"], dict) else message)
    result = message.get("result", {})
    if int(result.get("compact_revision", 0)):
        raise HistoryLost("etcd has forgotten the changes meanwhile")
    if result.get("canceled"):
        raise StoreFailure(f"etcd ends the watch: {escaped(result.get('cancel_reason', ''))}")
    return [
        Change(_decoded(event["kv"]["key"]), None)
        if event.get("type") == "DELETE"
        else Change(_decoded(event["kv"]["key"]), _entry(event["kv"]))
        for event in result.get("events", ())
    ]


def _content(response: httpx.Response, endpoint: str) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        raise StoreFailure(f"{endpoint} answers {response.status_code}, not as etcd does") from None
    if not isinstance(content, dict):
        raise StoreFailure(f"{endpoint} answers, but not as etcd does")
    if response.is_error or "error" in content:
        _refuse(content)
    return content


def _refuse(content: Mapping[str, Any]) -> NoReturn:
    """Raise what an error of etcd's means."""
    sentence = escaped(content.get("message") or content.get("error") or "")
    code = int(content.get("code") or content.get("grpc_code") or 0)
    if "lease not found" in sentence:
        raise LeaseExpired(sentence)
    if "compacted" in sentence:
        raise HistoryLost(sentence)
    if code == _UNAUTHENTICATED or "invalid auth token" in sentence:
        raise _SignedOut(f"etcd: {sentence}")
    raise StoreFailure(f"etcd: {sentence}")


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "does not answer in time"
    return escaped(str(error) or type(error).__name__)
