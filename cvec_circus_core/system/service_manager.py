"""Telling a service manager how we are, by the protocol of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)


class ServiceManager:
    """Who started us and wants to know; nobody, where there is no NOTIFY_SOCKET."""

    def __init__(self, address: str | None, watchdog: float = 0.0) -> None:
        """``watchdog`` is the seconds within which it wants to hear that we go on; 0 for never."""
        self._address = address if address and address[0] in "/@" else None
        self._watchdog = watchdog
        self._is_watched = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """Take the address out of the environment, so that our children do not speak for us."""
        pid = environment.pop("WATCHDOG_PID", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        is_for_us = pid in ("", str(os.getpid())) and microseconds.isdigit()
        watchdog = int(microseconds) / 1e6 if is_for_us else 0.0
        return cls(environment.pop("NOTIFY_SOCKET", None), watchdog)

    def hand_on(self) -> tuple[str | None, float]:
        """Return what another program needs to know of it."""
        return self._address, self._watchdog

    def main_process(self) -> bool:
        """Say that we are the main process now."""
        return self.say(f"MAINPID={os.getpid()}")

    @property
    def is_there(self) -> bool:
        """Tell whether anybody listens."""
        return self._address is not None

    def ready(self) -> bool:
        """Say that we serve (also after `reloading`)."""
        return self.say("READY=1", f"MAINPID={os.getpid()}")

    def watched(self, loop: AbstractEventLoop, goes_on: Callable[[], None]) -> None:
        """Have ``goes_on`` called, twice in the time of the watchdog, to say `going_on`."""
        if self._watchdog > 0 and self.is_there and not self._is_watched:
            self._is_watched = True
            self._next(loop, goes_on)

    def _next(self, loop: AbstractEventLoop, goes_on: Callable[[], None]) -> None:
        goes_on()
        loop.call_later(self._watchdog / 2, self._next, loop, goes_on)

    def going_on(self) -> None:
        """Say that we are well."""
        self.say("WATCHDOG=1")

    def reloading(self, now: float) -> bool:
        """Say that we read our configuration again; ``now`` is monotonic seconds."""
        return self.say("RELOADING=1", f"MONOTONIC_USEC={int(now * 1e6)}")

    def stopping(self) -> bool:
        """Say that we are going."""
        return self.say("STOPPING=1")

    def status(self, text: str) -> bool:
        """Say something for people."""
        return self.say("STATUS=" + text.replace("\n", " "))

    def say(self, *lines: str) -> bool:
        """Send lines; tell whether they were taken. Trouble is logged and does no harm."""
        if self._address is None:
            return False
        name = self._address
        address = "\0" + name[1:] if name[0] == "@" else name
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(1.0)
                out.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("service manager at %s was not told %s: %s", name, lines[0], error)
            return False
        return True
