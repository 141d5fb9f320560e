"""Who is let in at the endpoints of one engine: doors, their judge, files of Unix sockets."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from typing import Any, Protocol

import zmq

from cvec_circus_core.control.audit import Audit
from cvec_circus_core.control.binding import Place
from cvec_circus_core.control.door import Door, Doorman, Entrance, OpenDoor, ReadersDoor
from cvec_circus_core.model.endpoints import is_private
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.permission import lets_others_in, listed_words
from cvec_circus_core.runtime.judging import AccountJudge
from cvec_circus_core.system.accounts import is_known
from cvec_circus_core.system.endpoint_files import give
from cvec_circus_core.system.peers import CAN_TELL, Peers
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)


class Listing(Protocol):
    """What has a spec with a list of users in it."""

    @property
    def spec(self) -> WatcherSpec:
        """The options of a watcher."""


class House(Protocol):
    """Whose lists hold."""

    @property
    def spec(self) -> ArbiterSpec:
        """The options of the daemon, as they are now."""

    def watchers(self) -> Iterable[Listing]:
        """Return the watchers, as they are now."""


class Reception:
    """Makes the doors of an engine, and lets its lists hold at each of them."""

    def __init__(
        self,
        context: zmq.Context[Any],
        house: House,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        audit: Audit,
    ) -> None:
        self._context = context
        self._house = house
        self._loop = loop
        self._audit = audit
        self._judge = AccountJudge(lambda: house.spec, os.geteuid(), clock)
        self._peers = Peers()
        self._doorman: Doorman | None = None
        self._doors: list[Entrance] = []
        self._bound: list[str] = []
        self._warn_of_unknown()

    def place(self, key: str) -> Place:
        """Return where the socket of an option goes. Raises `CannotBind`."""
        spec = self._house.spec
        endpoint: str = getattr(spec, key)
        return Place(endpoint, key, spec.endpoint_owner, self._to_others, spec.insecure)

    def door(self, key: str, *, readers_only: bool = False) -> Entrance:
        """Return the door of an option's endpoint. Raises `CannotBind`."""
        spec = self._house.spec
        endpoint: str = getattr(spec, key)
        door: Entrance | None = self._open_door(key, endpoint, insecure=spec.insecure)
        if door is None:
            door = self._watched_door(f"{key}-{id(self):x}", readers_only=readers_only)
        self._doors.append(door)
        return door

    def is_bound(self, endpoint: str) -> None:
        """Look after the file of an endpoint that was bound."""
        self._bound.append(endpoint)

    def renew(self) -> None:
        """Let the lists hold as they are now, for those who are here already, too."""
        self._warn_of_unknown()
        for door in self._doors:
            door.renew()
        for endpoint in self._bound:
            try:
                give(endpoint, self._house.spec.endpoint_owner, to_others=self._to_others)
            except CannotBind as error:
                log.warning("%s", error)

    def close(self) -> None:
        """Let nobody in any more; the sockets are closed already."""
        if self._doorman is not None:
            self._doorman.close()
        self._peers.close()

    @property
    def _to_others(self) -> bool:
        watchers = (one.spec for one in self._house.watchers())
        return CAN_TELL and lets_others_in(self._house.spec, watchers)

    def _open_door(self, key: str, endpoint: str, *, insecure: bool) -> OpenDoor | None:
        if endpoint.startswith("inproc://"):
            return OpenDoor("inside the process", self._judge)
        if insecure and is_private(endpoint) is not True:
            log.warning("%s %s obeys everybody who can reach it: insecure = True", key, endpoint)
            return OpenDoor("insecure", self._judge)
        if CAN_TELL:
            return None
        if endpoint.startswith("ipc://"):
            log.warning("%s %s: only the mode of its file keeps others out here", key, endpoint)
            return OpenDoor("by the mode of the file", self._judge)
        if insecure:
            return OpenDoor("insecure", self._judge)
        raise CannotBind(
            f"{key} {endpoint}: this system does not tell who calls over tcp; "
            "use ipc://, or say insecure = True in [circus]"
        )

    def _watched_door(self, domain: str, *, readers_only: bool) -> Door:
        if self._doorman is None:
            try:
                self._doorman = Doorman(self._context, self._loop)
            except zmq.ZMQError:
                raise CannotBind(
                    "the ZeroMQ context that was given has an authenticator already; "
                    "give one without, or none"
                ) from None
        if readers_only:
            turned_away = self._audit.tell_turned_away
            door: Door = ReadersDoor(domain, self._peers, self._judge, self._loop, turned_away)
        else:
            door = Door(domain, self._peers, self._judge, self._loop)
        self._doorman.watch(door)
        return door

    def _warn_of_unknown(self) -> None:
        watchers = [one.spec for one in self._house.watchers()]
        for word in dict.fromkeys(listed_words(self._house.spec, watchers)):
            if not is_known(word):
                kind = "group" if word.startswith("@") else "user"
                log.warning("%s %r is listed and is not known to this machine", kind, word)
