"""WatchDog: a process that stops to send heart-beats is stopped, and so replaced.

Processes send their pid in UDP datagrams. A process that has been silent for ``loop_rate`` times
``max_count`` seconds gets the watcher's stop signal, and SIGKILL after the graceful timeout.

A beat is taken from root, and from the user of the process that it speaks for: the kernel is asked
whose the socket is that it came from. Of a sender that closes its socket at once nobody can tell.

Where no watcher is named, only a process that has sent a beat is expected to send more: the older
system killed everything that knew nothing of heart-beats. Where ``watchers_regex`` names some, all
their processes have to beat, and the time of each begins when it is first seen.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import CircusPlugin, ConfigError, Kind, Regex, option

log = logging.getLogger("circus.plugins.watchdog")

PLUGIN_PREFIX = "plugin:"
EVENT = "heartbeat_lost"
BIND_TRIES, BIND_PAUSE = 50, 0.1
"""How often a port that is taken is tried: the one before us may be on its way out."""


REASONS = 8
"""For which refused beats are counted one by one."""

OnDatagram = Callable[[bytes, tuple[str, int]], None]


def _regex(*, ignores_case: bool) -> Kind:
    def read(text: object) -> Regex:
        if not isinstance(text, str):
            raise ValueError("a regular expression")
        try:
            return Regex(text, ignores_case=ignores_case).checked()
        except ValueError as error:
            raise ValueError(f"a regular expression ({error})") from None

    return Kind("regex", "a regular expression", read, read, lambda regex: regex.pattern)


REGEX, NAME_REGEX = _regex(ignores_case=False), _regex(ignores_case=True)


@dataclass(frozen=True, kw_only=True)
class WatchDogSettings:
    """Who has to beat, how often, and where."""

    loop_rate: float = option(60.0, api.at_least(api.DURATION, 0.01), "seconds between two looks")
    max_count: float = option(
        3.0, api.at_least(api.NUMBER, 1), "so many times ``loop_rate`` may pass without a beat"
    )
    watchers_regex: Regex | None = option(
        None,
        api.or_none(NAME_REGEX),
        "beginning of the names of watchers whose processes all have to beat; without it, those "
        "that have begun to beat have to go on",
    )
    msg_regex: Regex = option(
        Regex(r"(?P<pid>\d+)(;(?P<timestamp>.*))?"),
        REGEX,
        "what a whole datagram looks like; its group ``pid`` tells the process",
    )
    ip: str = option("127.0.0.1", api.TEXT, "address that is listened at")
    port: int = option(
        1664, api.between(api.INTEGER, 0, 65535), "UDP port; 0 is any, which the log tells"
    )
    watchers_stop_signal: int | None = option(
        None, api.or_none(api.SIGNAL), "signal instead of the watcher's ``stop_signal``"
    )
    watchers_graceful_timeout: float | None = option(
        None,
        api.or_none(api.at_least(api.DURATION, 0)),
        "seconds until SIGKILL instead of the watcher's ``graceful_timeout``",
    )

    def __post_init__(self) -> None:
        """Look for what no single option can see. Raises `ConfigError`."""
        if "pid" not in self.msg_regex.groups:
            raise ConfigError(f"msg_regex has no group named pid: {self.msg_regex.pattern}")


@dataclass(slots=True)
class WatchedProcess:
    """One process."""

    watcher: str
    wid: int | None
    last_beat_at: float
    """When it last beat; else, when it was first seen."""
    has_beaten: bool = False
    is_stopping: bool = False
    """Whether it was told to stop."""


class WatchDog(CircusPlugin):
    r"""Replaces processes that stop to send heart-beats.

    A heart-beat is a UDP datagram ``PID;TIMESTAMP``; what stands in the place of the timestamp does
    not matter. In Python::

        beats = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        beats.sendto(f"{os.getpid()};{time.time()}".encode(), ("127.0.0.1", 1664))

    The event ``heartbeat_lost`` tells of each process that is stopped for its silence.
    """

    name = "watchdog"
    kinds = frozenset({"spawn", "reap"})
    settings_type: ClassVar[type[WatchDogSettings]] = WatchDogSettings
    settings: WatchDogSettings

    def handle_config(self) -> None:
        """Begin to look, every ``loop_rate`` seconds."""
        self.processes: dict[int, WatchedProcess] = {}
        self.transport: asyncio.DatagramTransport | None = None
        self._unreadable = 0
        self._refused: dict[str, int] = {}
        """Beats that were not taken at the last looks, by reason."""
        self._senders: api.DatagramSenders | None = None
        self.every(self.settings.loop_rate, self.look_after)

    async def handle_init(self) -> None:
        """Listen, and learn who is there. Raises `ConfigError` where the port can not be had."""
        assert self.loop is not None
        address = self.settings.ip, self.settings.port
        if api.CAN_TELL_SENDERS:
            self._senders = api.DatagramSenders()
        self.transport = await _listen(self.loop, address, self.receive)
        self._address = self.transport.get_extra_info("sockname")[:2]
        await self._refresh()
        log.info("watchdog: listening to heart-beats at %s:%d", *self._address)

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Take in that a process has come or gone."""
        watcher, event, message = self.split_data(data)
        body = self.load_message(message)
        if event == "spawn":
            name, wid = str(body.get("watcher") or watcher), body.get("process_id")
            self._add(name, body["process_pid"], wid)
        else:
            self.processes.pop(body["process_pid"], None)

    def handle_stop(self) -> None:
        """Listen no more."""
        if self.transport is not None:
            self.transport.close()
        if self._senders is not None:
            self._senders.close()

    def receive(self, datagram: bytes, sender: tuple[str, int]) -> None:
        """Take a heart-beat; what is none is told in the log at the next look."""
        match = self.settings.msg_regex.fullmatch(datagram.decode(errors="replace").strip())
        digits = match["pid"] if match else None
        pid = int(digits) if digits and digits.isdecimal() and len(digits) < 20 else None
        if pid is None:
            self._unreadable += 1
        elif (process := self.processes.get(pid)) is not None:
            if reason := self._refusal(pid, sender):
                if len(self._refused) >= REASONS:
                    reason = "of other users"
                self._refused[reason] = self._refused.get(reason, 0) + 1
            else:
                process.last_beat_at, process.has_beaten = self._now(), True

    def _refusal(self, pid: int, sender: tuple[str, int]) -> str:
        """Return why a beat is not taken: it has to come from root or the process's own user."""
        if self._senders is None:
            return ""
        uid = self._senders.owner(sender, self._address)
        if uid is None:
            return "whose socket was closed at once, or is not of this machine"
        return (
            ""
            if uid == 0 or uid in api.process_owners(pid)
            else f"of user {uid}, whose process it is not,"
        )

    async def look_after(self) -> None:
        """Stop those that have been silent for too long."""
        if self._unreadable:
            log.warning("watchdog: %d datagrams were no heart-beats", self._unreadable)
            self._unreadable = 0
        for reason, count in self._refused.items():
            log.warning("watchdog: %d heart-beats %s were not taken", count, reason)
        self._refused.clear()
        await self._refresh()
        now, patience = self._now(), self.settings.loop_rate * self.settings.max_count
        for pid, process in tuple(self.processes.items()):
            has_to_beat = process.has_beaten or self.settings.watchers_regex is not None
            if has_to_beat and not process.is_stopping and now - process.last_beat_at > patience:
                await self._stop(pid, process, now - process.last_beat_at)

    async def _stop(self, pid: int, process: WatchedProcess, silent: float) -> None:
        log.warning(
            "watcher %s: process %d has been silent for %.1f s; it is stopped",
            *(process.watcher, pid, silent),
        )
        body = {"process_pid": pid, "process_id": process.wid, "silent": round(silent, 3)}
        await self.ask("announce", name=process.watcher, event=EVENT, body=body)
        settings = {
            "signum": self.settings.watchers_stop_signal,
            "graceful_timeout": self.settings.watchers_graceful_timeout,
        }
        overrides = {key: value for key, value in settings.items() if value is not None}
        reply = await self.ask("kill", name=process.watcher, pid=pid, **overrides)
        process.is_stopping = reply["status"] != "error"

    async def _refresh(self) -> None:
        """Ask who is there: an event may have been missed, above all before the first one."""
        living: dict[int, tuple[str, Any]] = {}
        reply = await self.ask("list")
        if reply["status"] == "error":
            return
        for watcher in reply["watchers"]:
            if self._is_watched(watcher):
                reply = await self.ask("list", name=watcher)
                pids = reply.get("pids") or ()
                wids = reply.get("processes") or (None,) * len(pids)
                living.update((pid, (watcher, wid)) for pid, wid in zip(pids, wids, strict=False))
        for pid, (watcher, wid) in living.items():
            self._add(watcher, pid, wid)
        for pid in self.processes.keys() - living.keys():
            del self.processes[pid]

    def _add(self, watcher: str, pid: int, wid: int | None) -> None:
        if pid not in self.processes and self._is_watched(watcher):
            self.processes[pid] = WatchedProcess(watcher, wid, self._now())

    def _is_watched(self, watcher: str) -> bool:
        regex = self.settings.watchers_regex
        return not watcher.startswith(PLUGIN_PREFIX) and (
            regex is None or bool(regex.match(watcher))
        )

    def _now(self) -> float:
        assert self.loop is not None
        return self.loop.time()


class _DatagramReceiver(asyncio.DatagramProtocol):
    """Hands datagrams on."""

    def __init__(self, on_datagram: OnDatagram) -> None:
        self._on_datagram = on_datagram

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand one on."""
        self._on_datagram(data, (addr[0], addr[1]))


async def _listen(
    loop: asyncio.AbstractEventLoop, address: tuple[str, int], on_datagram: OnDatagram
) -> asyncio.DatagramTransport:
    tries = 0
    while True:
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _DatagramReceiver(on_datagram), local_addr=address
            )
            return transport
        except OSError as error:
            tries += 1
            if error.errno != errno.EADDRINUSE or tries >= BIND_TRIES:
                reason = (
                    f"{address[0]}:{address[1]} can not be listened at: {error.strerror or error}"
                )
                raise ConfigError(reason) from None
        await asyncio.sleep(BIND_PAUSE)
