"""What a process has from its birth, read from /proc while it does nothing about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LEAKY_UMASK = 0o027
OF_THE_MANAGER = {
    "NOTIFY_SOCKET": "@nobody-listens-there",
    "WATCHDOG_USEC": "7777777",
    "WATCHDOG_PID": "1",
    "LISTEN_FDS": "9",
    "LISTEN_PID": "1",
    "LISTEN_FDNAMES": "leaked",
}
"""What a service manager tells the daemon, and nobody else."""


@dataclass(frozen=True)
class Possessions:
    """What one process has."""

    pid: int
    descriptors: dict[int, str]
    environment: dict[str, str]
    status: dict[str, str]
    folder: str
    session: int
    group: int
    terminal: int
    nofile: str

    @classmethod
    def of(cls, pid: int) -> Possessions:
        """Look at a process."""
        base = Path(f"/proc/{pid}")
        status = dict(
            line.split(":\t", 1)
            for line in (base / "status").read_text().splitlines()
            if ":\t" in line
        )
        environ = (base / "environ").read_bytes().decode().split("\0")
        after_name = (base / "stat").read_text().rpartition(")")[2].split()
        (limits,) = (
            line
            for line in (base / "limits").read_text().splitlines()
            if line.startswith("Max open files")
        )
        return cls(
            pid,
            links(pid),
            dict(item.partition("=")[::2] for item in environ if item),
            status,
            os.readlink(base / "cwd"),
            int(after_name[3]),
            int(after_name[2]),
            int(after_name[4]),
            limits.split()[3],
        )


def links(pid: int) -> dict[int, str]:
    """Return what the descriptors of a process are."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
    return found


def is_program(pid: int, name: str) -> Callable[[], bool]:
    """Return what tells whether a process has come to its program."""
    return lambda: Path(f"/proc/{pid}/comm").read_text().strip() == name
