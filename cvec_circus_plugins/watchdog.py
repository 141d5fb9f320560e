"""WatchDog: a process that stops to send heart-beats is stopped, and so replaced.

Processes send their pid in UDP datagrams. Whoever has been silent for ``loop_rate`` times
``max_count`` seconds gets the watcher's stop signal, and SIGKILL after the graceful timeout.

Where no watcher is named, only a process that has sent a beat is expected to send more: the older
system killed everything that knew nothing of heart-beats. Where ``watchers_regex`` names some, all
their processes have to beat, and the time of each begins when it is first seen.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import CircusPlugin, ConfigError, Kind, option

log = logging.getLogger("circus.plugins.watchdog")

OF_PLUGINS = "plugin:"
EVENT = "heartbeat_lost"
TRIES, PAUSE = 50, 0.1
"""How often a port that is taken is tried: the one before us may be on its way out."""


def _regex(flags: re.RegexFlag) -> Kind:
    def read(text: Any) -> re.Pattern[str]:
        try:
            return re.compile(text, flags)
        except (re.error, TypeError) as error:
            raise ValueError(f"a regular expression ({error})") from None

    return Kind("regex", "a regular expression", read, read, lambda one: one.pattern)


REGEX, NAME_REGEX = _regex(re.RegexFlag(0)), _regex(re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class WatchDogSettings:
    """Who has to beat, how often, and where."""

    loop_rate: float = option(60.0, api.at_least(api.NUMBER, 0.01), "seconds between two looks")
    max_count: float = option(
        3.0, api.at_least(api.NUMBER, 1), "so many times ``loop_rate`` may pass without a beat"
    )
    watchers_regex: re.Pattern[str] | None = option(
        None,
        api.or_none(NAME_REGEX),
        "beginning of the names of watchers whose processes all have to beat; without it, those "
        "that have begun to beat have to go on",
    )
    msg_regex: re.Pattern[str] = option(
        re.compile(r"(?P<pid>\d+)(;(?P<timestamp>.*))?"),
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
        api.or_none(api.at_least(api.NUMBER, 0)),
        "seconds until SIGKILL instead of the watcher's ``graceful_timeout``",
    )

    def __post_init__(self) -> None:
        """Look for what no single option can see. Raises `ConfigError`."""
        if "pid" not in self.msg_regex.groupindex:
            raise ConfigError(f"msg_regex has no group named pid: {self.msg_regex.pattern}")


@dataclass(slots=True)
class Heart:
    """One process."""

    watcher: str
    wid: Any
    beaten_at: float
    """When it last beat; else, when it was first seen."""
    has_beaten: bool = False
    is_told: bool = False
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

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.hearts: dict[int, Heart] = {}
        self.transport: asyncio.DatagramTransport | None = None
        self._unread = 0
        self.every(self.settings.loop_rate, self.look_after)

    async def handle_init(self) -> None:
        """Listen, and learn who is there. Raises `ConfigError` where the port can not be had."""
        assert self.loop is not None
        where = self.settings.ip, self.settings.port
        self.transport = await _listen(self.loop, where, self.take)
        await self._learn()
        host, port = self.transport.get_extra_info("sockname")[:2]
        log.info("watchdog: listening to heart-beats at %s:%d", host, port)

    def handle_recv(self, data: Any) -> None:
        """Take in that a process has come or gone."""
        watcher, event, message = self.split_data(data)
        body = self.load_message(message)
        if event == "spawn":
            name, wid = str(body.get("watcher") or watcher), body.get("process_id")
            self._see(name, body["process_pid"], wid)
        else:
            self.hearts.pop(body["process_pid"], None)

    def handle_stop(self) -> None:
        """Listen no more."""
        if self.transport is not None:
            self.transport.close()

    def take(self, datagram: bytes) -> None:
        """Take a heart-beat; what is none is told in the log at the next look."""
        said = self.settings.msg_regex.fullmatch(datagram.decode(errors="replace").strip())
        try:
            pid = int(said["pid"]) if said else None
        except ValueError:
            pid = None
        if pid is None:
            self._unread += 1
        elif (heart := self.hearts.get(pid)) is not None:
            heart.beaten_at, heart.has_beaten = self._now(), True

    async def look_after(self) -> None:
        """Stop those that have been silent for too long."""
        if self._unread:
            log.warning("watchdog: %d datagrams were no heart-beats", self._unread)
            self._unread = 0
        await self._learn()
        now, patience = self._now(), self.settings.loop_rate * self.settings.max_count
        for pid, heart in tuple(self.hearts.items()):
            has_to_beat = heart.has_beaten or self.settings.watchers_regex is not None
            if has_to_beat and not heart.is_told and now - heart.beaten_at > patience:
                await self._stop(pid, heart, now - heart.beaten_at)

    async def _stop(self, pid: int, heart: Heart, silent: float) -> None:
        log.warning(
            "watcher %s: process %d has been silent for %.1f s; it is stopped",
            *(heart.watcher, pid, silent),
        )
        body = {"process_pid": pid, "process_id": heart.wid, "silent": round(silent, 3)}
        await self.ask("announce", name=heart.watcher, event=EVENT, body=body)
        how = {
            "signum": self.settings.watchers_stop_signal,
            "graceful_timeout": self.settings.watchers_graceful_timeout,
        }
        given = {key: value for key, value in how.items() if value is not None}
        reply = await self.ask("kill", name=heart.watcher, pid=pid, **given)
        heart.is_told = reply["status"] != "error"

    async def _learn(self) -> None:
        """Ask who is there: an event may have been missed, above all before the first one."""
        there: dict[int, tuple[str, Any]] = {}
        reply = await self.ask("list")
        if reply["status"] == "error":
            return
        for watcher in reply["watchers"]:
            if self._is_ours(watcher):
                reply = await self.ask("list", name=watcher)
                pids = reply.get("pids") or ()
                wids = reply.get("processes") or (None,) * len(pids)
                there.update((pid, (watcher, wid)) for pid, wid in zip(pids, wids, strict=False))
        for pid, (watcher, wid) in there.items():
            self._see(watcher, pid, wid)
        for pid in self.hearts.keys() - there.keys():
            del self.hearts[pid]

    def _see(self, watcher: str, pid: int, wid: Any) -> None:
        if pid not in self.hearts and self._is_ours(watcher):
            self.hearts[pid] = Heart(watcher, wid, self._now())

    def _is_ours(self, watcher: str) -> bool:
        regex = self.settings.watchers_regex
        return not watcher.startswith(OF_PLUGINS) and (regex is None or bool(regex.match(watcher)))

    def _now(self) -> float:
        assert self.loop is not None
        return self.loop.time()


class _Ear(asyncio.DatagramProtocol):
    """Hands datagrams on."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Hand one on."""
        self._take(data)


async def _listen(
    loop: asyncio.AbstractEventLoop, where: tuple[str, int], take: Callable[[bytes], None]
) -> asyncio.DatagramTransport:
    tries = 0
    while True:
        try:
            ear, _ = await loop.create_datagram_endpoint(lambda: _Ear(take), local_addr=where)
            return ear
        except OSError as error:
            tries += 1
            if error.errno != errno.EADDRINUSE or tries >= TRIES:
                said = f"{where[0]}:{where[1]} can not be listened at: {error.strerror or error}"
                raise ConfigError(said) from None
        await asyncio.sleep(PAUSE)
