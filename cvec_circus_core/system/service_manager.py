"""Telling a service manager how we are, by the protocol of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger(__name__)


class ServiceManager:
    """Who started us and wants to know; nobody, where there is no NOTIFY_SOCKET."""

    def __init__(self, address: str | None) -> None:
        self._address = address if address and address[0] in "/@" else None

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """Take the address out of the environment, so that our children do not speak for us."""
        return cls(environment.pop("NOTIFY_SOCKET", None))

    @property
    def is_there(self) -> bool:
        """Tell whether anybody listens."""
        return self._address is not None

    def ready(self) -> bool:
        """Say that we serve (also after `reloading`)."""
        return self.say("READY=1", f"MAINPID={os.getpid()}")

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
