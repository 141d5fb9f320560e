"""A fleet for a test: real daemons that play hosts, with a real etcd between them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.fleet.conftest import EtcdServer
from tests.live.daemon import LIMIT, Daemon, is_alive, until

LEASE = 3


class FleetHost:
    """One daemon, under the name of a host."""

    def __init__(self, name: str, endpoints: str, folder: Path, labels: str = "") -> None:
        self.name = name
        self.folder = folder / name
        self.daemon = Daemon(
            "[fleet]\n"
            f"etcd = {endpoints}\n"
            f"name = {name}\n"
            f"labels = {labels}\n"
            f"lease = {LEASE}\n"
            "margin = 1\n"
            "settle = 0.3\n"
            f"folder = {self.folder}\n"
        )

    def start(self) -> None:
        """Start it."""
        self.daemon.start()

    def kill(self) -> None:
        """Lose it: everything that runs there ends at once."""
        pids = [self.daemon.process.pid, *self.daemon.alive()]
        while pids:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            pids = [pid for pid in self.daemon.alive() if is_alive(pid)]
        self.daemon.process.wait(LIMIT)

    @property
    def agent(self) -> int:
        """The pid of its agent."""
        (pid,) = self.daemon.pids("plugin:fleet")
        return pid

    def fleet(self, *words: str) -> dict[str, Any]:
        """Return the reply to circusctl fleet."""
        done = self.daemon.control("--json", "fleet", *words)
        reply: dict[str, Any] = json.loads(done.stdout)
        assert reply["status"] == "ok", reply
        return reply

    def fences(self) -> list[int]:
        """Return the fences of all processes here that run once in the fleet, by what they have."""
        fences = []
        for pid in self.daemon.alive():
            try:
                process = psutil.Process(pid)
                words = " ".join(process.cmdline())
                is_alive = process.status() != psutil.STATUS_ZOMBIE
                if is_alive and "once.py" in words and "leash.py" not in words:
                    fences.append(int(process.environ()["CIRCUS_FENCE"]))
            except (psutil.Error, KeyError):
                continue
        return fences


class Fleet:
    """All hosts of one."""

    def __init__(self, hosts: dict[str, FleetHost], folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder

    def apply(self, text: str, by: str = "a") -> dict[str, Any]:
        """Apply a configuration."""
        file = self.folder / "fleet.ini"
        file.write_text(text)
        return self.hosts[by].fleet("apply", str(file))

    def until_ready(self, by: str = "a") -> dict[str, Any]:
        """Wait until everything runs; return what runs where."""
        reply: dict[str, Any] = {}

        def is_ready() -> bool:
            nonlocal reply
            reply = self.hosts[by].fleet("status")
            return bool(reply["watchers"]) and all(
                watcher["ready"] == watcher["wanted"] for watcher in reply["watchers"].values()
            )

        until(is_ready, 2 * LIMIT)
        return reply

    def shares(self, watcher: str, by: str = "a") -> dict[str, int]:
        """Return how many processes of a watcher each host runs."""
        rows = self.hosts[by].fleet("status")["watchers"][watcher]["hosts"]
        return {host: row["ready"] for host, row in rows.items() if row["ready"]}


@contextmanager
def running(etcd: EtcdServer, folder: Path, **labels: str) -> Iterator[Fleet]:
    """Start a host for each keyword, with its labels."""
    hosts = {name: FleetHost(name, etcd.endpoint, folder, text) for name, text in labels.items()}
    try:
        for host in hosts.values():
            host.start()
        fleet = Fleet(hosts, folder)
        first = next(iter(hosts))
        until(lambda: len(fleet.hosts[first].fleet("hosts")["hosts"]) == len(hosts))
        yield fleet
    finally:
        for host in hosts.values():
            host.daemon.clean_up()
