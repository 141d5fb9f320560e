"""Who is let in at the endpoints of a process: authentication, rights, keys, Unix socket files.

The daemon has one, and so has every other process that serves an endpoint of the daemon's: it needs
the daemon's options and those of its watchers, as they are at the moment, and tells `renew` when
they have changed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Protocol

import zmq

from cvec_circus_core.control.bind import BindTarget
from cvec_circus_core.control.peers.authentication import Authentication, NoAuthentication
from cvec_circus_core.control.peers.authenticator import (
    PeerAuthenticator,
    ReadOnlyPeerAuthenticator,
)
from cvec_circus_core.control.peers.zap import ZapHandler
from cvec_circus_core.model.access import KEY_MARK
from cvec_circus_core.model.endpoints import is_private, speaks_curve
from cvec_circus_core.model.errors import CannotBind, ConfigError
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.permission import lets_others_in, listed_words
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.authorizer import Authorizer
from cvec_circus_core.system.accounts import is_known
from cvec_circus_core.system.net.endpoint_files import give
from cvec_circus_core.system.net.peers import CAN_TELL, Peers
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)


class InternalEndpoints:
    """Where a daemon's own processes come in while CURVE is spoken at its endpoints.

    A Unix socket without a file, under a name that nobody can guess; only Linux has such.
    """

    def __init__(self) -> None:
        self._name = os.urandom(8).hex() if CAN_TELL else None
        self.daemon_id = os.urandom(8).hex()
        """What this daemon is known by to its own helpers; its successor has another one."""

    def way(self, key: str) -> str | None:
        """Return the inner way to the endpoint that an option names."""
        return None if self._name is None else f"ipc://@circus-{self._name}-{key}"

    def endpoint(self, spec: ArbiterSpec, key: str) -> str:
        """Return where a process of ours reaches the endpoint that an option names."""
        endpoint: str = getattr(spec, key)
        return (speaks_curve(endpoint, spec.curve_key) and self.way(key)) or endpoint

    def endpoints(self, spec: ArbiterSpec) -> tuple[str, str]:
        """Return where a process of ours reaches the control and the event endpoint."""
        return self.endpoint(spec, "endpoint"), self.endpoint(spec, "pubsub_endpoint")


class Listing(Protocol):
    """What has a spec with a list of users in it."""

    @property
    def spec(self) -> WatcherSpec:
        """The options of a watcher."""


class AccessLists(Protocol):
    """Whose lists hold."""

    @property
    def spec(self) -> ArbiterSpec:
        """The options of the daemon, as they are now."""

    def watchers(self) -> Iterable[Listing]:
        """Return the watchers, as they are now."""


class EndpointSecurity:
    """Makes the authentication of each endpoint, and lets the lists hold there.

    Raises `ConfigError` for keys that can not be used.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        lists: AccessLists,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        audit: Audit,
        inner: InternalEndpoints | None = None,
    ) -> None:
        self._context = context
        self._lists = lists
        self._loop = loop
        self._audit = audit
        self._inner = inner
        self._authorizer = Authorizer(lambda: lists.spec, os.geteuid(), clock)
        self._secret = self._read_keys()
        self._peers = Peers()
        self._zap_handler: ZapHandler | None = None
        self._authentications: list[Authentication] = []
        self._bound: list[str] = []
        self._warn_of_unknown()

    def place(self, key: str) -> BindTarget:
        """Return where the socket of an option goes. Raises `CannotBind`."""
        spec, _ = self._options()
        endpoint: str = getattr(spec, key)
        return BindTarget(
            endpoint,
            key,
            spec.endpoint_owner,
            self._to_others,
            spec.insecure,
            self._secret,
            None if self._inner is None else self._inner.way(key),
        )

    def authentication(self, key: str, *, readers_only: bool = False) -> Authentication:
        """Return the authentication of an option's endpoint. Raises `CannotBind`."""
        spec, _ = self._options()
        endpoint: str = getattr(spec, key)
        authentication: Authentication | None = None
        if not speaks_curve(endpoint, self._secret):
            authentication = self._open_to_all(key, endpoint, insecure=spec.insecure)
        if authentication is None:
            authentication = self._peer_authentication(
                f"{key}-{id(self):x}", readers_only=readers_only
            )
        self._authentications.append(authentication)
        return authentication

    def is_bound(self, endpoint: str) -> None:
        """Look after the file of an endpoint that was bound."""
        self._bound.append(endpoint)

    def renew(self) -> None:
        """Let the lists hold as they are now, for those who are here already, too."""
        self._warn_of_unknown()
        try:
            self._read_keys()
        except ConfigError as error:
            log.error("%s; nobody is let in by key until that is mended", error)
            self._authorizer.keys = {}
        for authentication in self._authentications:
            authentication.renew()
        spec, _ = self._options()
        for endpoint in self._bound:
            try:
                give(endpoint, spec.endpoint_owner, to_others=self._to_others)
            except CannotBind as error:
                log.warning("%s", error)

    def close(self) -> None:
        """Let nobody in any more; the sockets are closed already."""
        if self._zap_handler is not None:
            self._zap_handler.close()
        self._peers.close()

    @property
    def _to_others(self) -> bool:
        return CAN_TELL and lets_others_in(*self._options())

    def _options(self) -> tuple[ArbiterSpec, list[WatcherSpec]]:
        return self._lists.spec, [watcher.spec for watcher in self._lists.watchers()]

    def _read_keys(self) -> str | None:
        """Learn who is let in by key, and return the secret half of the daemon's own."""
        spec = self._lists.spec
        if spec.curve_key is None:
            return None
        read = import_module("cvec_circus_core.system.key_files").daemon_keys
        keys = read(spec.curve_key, spec.curve_authorized)
        self._authorizer.keys = keys.known
        secret: str = keys.pair.secret
        return secret

    def _open_to_all(self, key: str, endpoint: str, *, insecure: bool) -> NoAuthentication | None:
        if endpoint.startswith("inproc://"):
            return NoAuthentication("inside the process", self._authorizer)
        if insecure and is_private(endpoint) is not True:
            log.warning("%s %s obeys everybody who can reach it: insecure = True", key, endpoint)
            return NoAuthentication("insecure", self._authorizer)
        if CAN_TELL:
            return None
        if endpoint.startswith("ipc://"):
            log.warning("%s %s: only the mode of its file keeps others out here", key, endpoint)
            return NoAuthentication("by the mode of the file", self._authorizer)
        if insecure:
            return NoAuthentication("insecure", self._authorizer)
        raise CannotBind(
            f"{key} {endpoint}: this system does not tell who calls over tcp; "
            "use ipc://, or say insecure = True in [circus]"
        )

    def _peer_authentication(self, domain: str, *, readers_only: bool) -> PeerAuthenticator:
        if self._zap_handler is None:
            try:
                self._zap_handler = ZapHandler(self._context, self._loop)
            except zmq.ZMQError:
                raise CannotBind(
                    "the ZeroMQ context that was given has an authenticator already; "
                    "give one without, or none"
                ) from None
        kind = ReadOnlyPeerAuthenticator if readers_only else PeerAuthenticator
        turned_away = self._audit.tell_turned_away
        authentication = kind(domain, self._peers, self._authorizer, self._loop, turned_away)
        self._zap_handler.watch(authentication)
        return authentication

    def _warn_of_unknown(self) -> None:
        keys = {f"{KEY_MARK}{key.name}" for key in self._authorizer.keys.values()}
        for word in dict.fromkeys(listed_words(*self._options())):
            if word.startswith(KEY_MARK):
                if word not in keys:
                    log.warning("%s is listed, and no key of that name is authorized", word)
            elif not is_known(word):
                kind = "group" if word.startswith("@") else "user"
                log.warning("%s %r is listed and is not known to this machine", kind, word)
