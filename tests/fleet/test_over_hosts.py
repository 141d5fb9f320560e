"""``circusctl --fleet``: one command for all hosts, with what each of them answers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet.conftest import EtcdServer
from tests.fleet.fleets import Fleet, FleetHost
from tests.live.daemon import BIN, LIMIT, free_port, until
from tests.live.keyring import Keyring

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

NAMES = ("a", "b", "c")
CONFIG = (
    "[watcher:web]\nfleet = spread\nnumprocesses = 3\nready = spawned\nsettle = 0\n"
    'cmd = sh -c "echo hello; exec sleep 1000"\nshell = False\n'
    '[watcher:only]\nfleet = all\nwhere = name == "a"\ncmd = sleep 1001\n'
)


@contextmanager
def fleet_of_three(etcd: EtcdServer, folder: Path, ring: Keyring | None = None) -> Iterator[Fleet]:
    """Start three hosts that tell their addresses; c takes only those whose key it knows."""
    hosts = {}
    for name in NAMES:
        host = FleetHost(name, etcd.endpoint, folder, f"name:{name}")
        daemon = host.daemon
        text = daemon.file.read_text()
        if ring is not None and name == "c":
            before, daemon.endpoint = daemon.endpoint, f"tcp://0.0.0.0:{free_port()}"
            text = text.replace(f"endpoint = {before}", f"endpoint = {daemon.endpoint}", 1)
            text = text.replace("[circus]\n", f"[circus]\n{ring.circus}", 1)
            daemon.keys = ring.keys("boss")
        daemon.file.write_text(
            f"{text}address = {daemon.endpoint.replace('0.0.0.0', '127.0.0.1')}\n"
        )
        hosts[name] = host
    try:
        for host in hosts.values():
            host.start()
        fleet = Fleet(hosts, folder)
        until(lambda: len(hosts["a"].fleet("hosts")["hosts"]) == len(hosts))
        fleet.apply(CONFIG)
        fleet.until_ready()
        yield fleet
    finally:
        for host in hosts.values():
            host.daemon.clean_up()


def test_all_hosts_are_asked(
    etcd: EtcdServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Keyring(tmp_path / "ring")
    monkeypatch.setenv("CIRCUS_KEYS", str(ring.person("boss", "operator")))
    with fleet_of_three(etcd, tmp_path, ring) as fleet:
        control = fleet.hosts["a"].daemon.control

        done = control("--fleet", "status", "web")
        assert (done.returncode, done.stdout.splitlines()) == (
            0,
            ["a: active", "b: active", "c: active"],
        )
        done = control("status", "--fleet")
        assert done.returncode == 0
        assert {"a: only: active", "b: web: active", "c: web: active"} <= set(
            done.stdout.splitlines()
        )
        # What runs at one host alone is shown of that one; what runs nowhere is a mistake.
        done = control("--fleet", "status", "only")
        assert (done.returncode, done.stdout) == (0, "a: active\n")
        done = control("--fleet", "status", "nowhere")
        assert (done.returncode, done.stdout) == (3, "")
        assert "no watcher is named 'nowhere'" in done.stderr

        reply = json.loads(control("--fleet", "--json", "stats", "web").stdout)
        assert set(reply["hosts"]) == set(NAMES)
        pids = {name: list(row["info"]) for name, row in reply["hosts"].items()}
        assert pids == {
            name: [str(pid) for pid in host.daemon.pids("web")]
            for name, host in fleet.hosts.items()
        }
        done = control("--fleet", "tail", "web")
        assert re.findall(r"^([abc]): hello$", done.stdout, re.MULTILINE) == list(NAMES)

        done = control("--fleet", "stop", "web")
        assert done.returncode == 2
        assert "stop takes no --fleet" in done.stderr
        assert control("--fleet", "--hosts-at-once", "0", "reload").returncode == 2

        # A host that hangs costs the others nothing, and is told by its name.
        os.kill(fleet.hosts["b"].daemon.process.pid, signal.SIGSTOP)
        try:
            done = control("--fleet", "--timeout", "2", "status", "web")
        finally:
            os.kill(fleet.hosts["b"].daemon.process.pid, signal.SIGCONT)
        assert done.returncode == 1
        assert done.stdout.splitlines() == ["a: active", "c: active"]
        assert re.search(r"^error: b: .*", done.stderr, re.MULTILINE)

        # So is one that lets in only those who have a key.
        monkeypatch.setenv("CIRCUS_KEYS", str(tmp_path / "no-keys"))
        done = control("--fleet", "status", "web")
        assert done.returncode == 1
        assert done.stdout.splitlines() == ["a: active", "b: active"]
        assert re.search(r"^error: c: .*", done.stderr, re.MULTILINE)


def test_a_reload_rolls_and_stops_where_it_fails(etcd: EtcdServer, tmp_path: Path) -> None:
    with fleet_of_three(etcd, tmp_path) as fleet:
        daemons = {name: host.daemon for name, host in fleet.hosts.items()}
        control = daemons["a"].control

        def pids() -> dict[str, list[int]]:
            return {name: daemon.pids("web") for name, daemon in daemons.items()}

        before = pids()
        done = control("--fleet", "reload", "web")
        assert done.returncode == 0, done
        after = pids()
        assert all(before[name] != after[name] for name in NAMES)

        # At b, what starts now ends before it is ready: c is not begun.
        daemons["b"].ok("set", name="web", options={"cmd": "false", "ready": "alive:1"})
        before = pids()
        done = control("--fleet", "--timeout", "60", "reload", "web")
        assert done.returncode == 3, done
        assert re.search(r"^error: b: ", done.stderr, re.MULTILINE), done
        assert "reload stops here; not done at: c" in done.stderr
        assert pids()["c"] == before["c"]
        assert pids()["a"] != before["a"]

        done = control("--fleet", "--hosts-at-once", "3", "reload", "only")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [("listen", "watcher.web."), ("tail", "-f", "web")])
def test_all_hosts_are_followed(etcd: EtcdServer, tmp_path: Path, words: tuple[str, ...]) -> None:
    with fleet_of_three(etcd, tmp_path) as fleet:
        daemon = fleet.hosts["a"].daemon
        output = tmp_path / "output"
        with output.open("wb") as file:
            follower = subprocess.Popen(
                [str(BIN / "circusctl"), "--endpoint", daemon.endpoint, "--fleet", *words],
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            # Until it hears all of them, they go on telling something.
            def hears_all() -> bool:
                for host in fleet.hosts.values():
                    host.daemon.call("restart", name="web", waiting=True)
                text = output.read_text()
                return all(re.search(rf"^{name}: .", text, re.MULTILINE) for name in NAMES)

            until(hears_all, 2 * LIMIT)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(LIMIT) == 0, output.read_text()
        finally:
            follower.kill()
            follower.wait()
