"""Addresses for the hosts of a fleet, and links between them that can be cut.

Each host is a network namespace of its own, and all are joined by a bridge. Where namespaces may
not be made, the hosts are addresses of the loopback interface, whose links can not be cut.

What is to be lost in one direction is sent to a hardware address that nobody has: it is lost in
silence, as on a wire, and what has a connection learns nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from itertools import count

NOBODY = "02:00:00:00:00:99"
_numbers = count(1)


class Network:
    """The links between some hosts."""

    can_cut = True

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = list(hosts)
        self._mark = f"{os.getpid() % 100000}x{next(_numbers)}"
        self._bridge = f"fb{self._mark}"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("link", "set", self._bridge, "up")
        for host in self._hosts:
            namespace, link = self._namespace(host), self._link(host)
            _ip("netns", "add", namespace)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            _ip("link", "set", link, "master", self._bridge, "up")
            _ip("-n", namespace, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _ip("-n", namespace, "link", "set", device, "up")

    def address(self, host: str) -> str:
        """Return the address of a host."""
        return f"10.77.0.{11 + self._hosts.index(host)}"

    def inside(self, host: str) -> list[str]:
        """Return the words that run a program at a host."""
        return ["ip", "netns", "exec", self._namespace(host)]

    def cut(self, host: str) -> None:
        """Let nothing through, neither from a host nor to it."""
        _ip("link", "set", self._link(host), "nomaster")

    def mute(self, host: str) -> None:
        """Let nothing through from a host; it hears the others."""
        for other in self._others(host):
            self._lose(host, other)

    def deafen(self, host: str) -> None:
        """Let nothing through to a host; the others hear it."""
        for other in self._others(host):
            self._lose(other, host)

    def mend(self, host: str) -> None:
        """Let everything through again."""
        _ip("link", "set", self._link(host), "master", self._bridge)
        for other in self._others(host):
            for sender, receiver in ((host, other), (other, host)):
                words = ("neigh", "del", self.address(receiver), "dev", "eth0")
                _ip("-n", self._namespace(sender), *words, may_fail=True)

    def close(self) -> None:
        """Take everything down."""
        for host in self._hosts:
            _ip("netns", "del", self._namespace(host), may_fail=True)
        _ip("link", "del", self._bridge, may_fail=True)

    def _others(self, host: str) -> list[str]:
        return [other for other in self._hosts if other != host]

    def _lose(self, sender: str, receiver: str) -> None:
        words = ("neigh", "replace", self.address(receiver), "lladdr", NOBODY, "dev", "eth0")
        _ip("-n", self._namespace(sender), *words, "nud", "permanent")

    def _namespace(self, host: str) -> str:
        return f"fleet-{self._mark}-{host}"

    def _link(self, host: str) -> str:
        return f"f{self._mark}{self._hosts.index(host)}"


class Loopback(Network):
    """Hosts that are addresses of one machine."""

    can_cut = False

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = list(hosts)

    def address(self, host: str) -> str:
        """Return the address of a host."""
        return f"127.0.0.{11 + self._hosts.index(host)}"

    def inside(self, host: str) -> list[str]:
        """Return no words."""
        return []

    def mend(self, host: str) -> None:
        """Nothing is cut."""

    def close(self) -> None:
        """Nothing is there."""


def network(hosts: Sequence[str]) -> Network:
    """Return namespaces, or loopback addresses where those may not be made."""
    try:
        trial = Network(["trial"])
    except (OSError, subprocess.CalledProcessError):
        return Loopback(hosts)
    trial.close()
    return Network(hosts)


def _ip(*words: str, may_fail: bool = False) -> None:
    subprocess.run(["ip", *words], check=not may_fail, capture_output=True, timeout=30)
