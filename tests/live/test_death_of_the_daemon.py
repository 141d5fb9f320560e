"""circusd is killed: its processes go on, or not, as their watcher says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.live.daemon import BIN, LIMIT, Daemon, free_port, is_alive, until

WATCHERS = """
[watcher:goes]
cmd = sleep 1000
numprocesses = 3
death_signal = KILL
[watcher:hears]
cmd = sh -c 'trap "exec sleep 1000" USR1; echo up; while :; do sleep 0.05; done'
death_signal = USR1
[watcher:stays]
cmd = sleep 1000
"""


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    one = Daemon(WATCHERS)
    try:
        yield one.start()
    finally:
        one.clean_up()
        shutil.rmtree(one.folder)


def name(pid: int) -> str:
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def test_the_kernel_tells_processes_of_it(daemon: Daemon) -> None:
    gone = daemon.until_active("goes", 3)
    (hears,), (stays,) = daemon.until_active("hears", 1), daemon.until_active("stays", 1)
    until(lambda: daemon.said("\nup\n"))
    daemon.kill()
    until(lambda: not any(map(is_alive, gone)))
    until(lambda: name(hears) == "sleep")
    assert is_alive(stays)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_those_of_another_user_too(daemon: Daemon) -> None:
    daemon.ok("set", name="goes", options={"uid": "nobody"}, waiting=True)
    pids = daemon.until_active("goes", 3)
    daemon.kill()
    until(lambda: not any(map(is_alive, pids)))


def test_a_stop_is_as_ever(daemon: Daemon) -> None:
    daemon.until_active("goes", 3)
    assert daemon.stop(signal.SIGTERM) == 0
    assert not daemon.alive()


LEFT = """
[watcher:alone]
cmd = sleep 1001
[watcher:twin]
cmd = sleep 1002
[watcher:other-twin]
cmd = sleep 1002
"""


def test_the_next_one_names_what_is_left(daemon: Daemon) -> None:
    daemon.stop()
    daemon.circus = "on_daemon_death = ignore"
    daemon.write(LEFT)
    daemon.start()
    (alone,), (twin,) = daemon.until_active("alone", 1), daemon.until_active("twin", 1)
    daemon.kill()
    daemon.start()
    sentence = "left behind by a circusd that was killed"
    lines = daemon.text().splitlines()
    [line] = [line for line in lines if sentence in line and f" {alone} (" in line]
    assert "[WARNING]" in line
    assert f" {alone} (sleep 1001, the command of watcher alone)" in line
    assert f" {twin} (sleep 1002)" in line
    # Another daemon's are not named, nor those of a daemon above.
    living = daemon.until_active("alone", 1)
    other = Daemon("[watcher:w]\ncmd = sleep 1000\n")
    try:
        other.start()
        assert f" {alone} (sleep 1001)" in other.text()
        assert not any(f" {pid} (" in other.text() for pid in living)
    finally:
        other.clean_up()
        shutil.rmtree(other.folder)


_AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from cvec_circus_core.system.processes.abandoned import find_abandoned
print(*(process.pid for process in find_abandoned(limit=30)))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has processes that others may not end")
def test_nobody_is_told_of_what_they_may_not_end(daemon: Daemon) -> None:
    daemon.stop()
    daemon.circus = "on_daemon_death = ignore"
    daemon.write(
        "[watcher:own]\ncmd = sleep 1003\n[watcher:theirs]\ncmd = sleep 1004\nuid = nobody\n"
    )
    daemon.start()
    (own,), (theirs,) = daemon.until_active("own", 1), daemon.until_active("theirs", 1)
    daemon.kill()
    # Imported before it gives up its rights, in case the source is not for everybody to read.
    code = _AS_NOBODY.replace(
        "\nimport os", "\nimport cvec_circus_core.system.processes.abandoned, os"
    )
    looking = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    pids = set(map(int, looking.stdout.split()))
    assert theirs in pids
    assert own not in pids


HOLDER = "import socket, sys, time; time.sleep(1000)"


@pytest.mark.parametrize("kind", ["tcp", "udp", "unix"])
def test_the_next_one_names_who_holds_its_sockets(daemon: Daemon, kind: str) -> None:
    daemon.stop()
    where = {
        "tcp": f"host = 127.0.0.1\nport = {free_port()}",
        "udp": f"host = 127.0.0.1\nport = {free_port()}\ntype = SOCK_DGRAM",
        "unix": f"path = {daemon.folder}/s",
    }[kind]
    daemon.circus = "on_daemon_death = ignore"
    daemon.write(
        f"[socket:one]\n{where}\n"
        f"[watcher:web]\ncmd = {sys.executable} -c '{HOLDER}' $(circus.sockets.one)\n"
        "use_sockets = True\nnumprocesses = 2\n"
    )
    daemon.start()
    pids = sorted(daemon.until_active("web", 2))
    daemon.kill()
    assert daemon.launch().wait(LIMIT) == 1
    refusal = daemon.text().splitlines()[-1]
    assert "[socket:one] can not listen at" in refusal
    assert f"left behind by a circusd that was killed; 'kill {pids[0]} {pids[1]}' ends" in refusal
    assert f"{pids[0]} is of watcher web, {pids[1]} is of watcher web" in refusal
    subprocess.run(["kill", *map(str, pids)], check=True)
    until(lambda: not any(map(is_alive, pids)))
    daemon.start()
    daemon.until_active("web", 2)


def test_a_daemon_below_another_names_none_of_its_processes(daemon: Daemon) -> None:
    inner = Daemon("[watcher:w]\ncmd = sleep 1000\n")
    line = f"{BIN}/circusd --log-output {inner.log} {inner.file}"
    try:
        siblings = daemon.until_active("stays", 1)
        daemon.ok("add", name="inner", cmd=line, start=True, waiting=True)
        until(lambda: inner.log.exists() and inner.said("Arbiter now waiting"))
        assert [pid for pid in siblings if f" {pid} (" in inner.text()] == [], inner.text()
    finally:
        inner.clean_up()
        shutil.rmtree(inner.folder)
