"""Whoever goes takes all descendants along, however they hide; and nobody else goes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cvec_circus_core.system.processes.cgroups import ControlGroups
from tests.live.daemon import Daemon, until

Start = Callable[..., Daemon]

FAMILY = 7
"""How many processes a hiding worker is, with itself."""


class Den:
    """Workers of one test; their command lines have a number that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = random.randint(10**6, 10**9)

    def watcher(self, *options: str, name: str = "w") -> str:
        """Return a watcher's section."""
        cmd = f"sh tests/live/hiding.sh {self.folder}/$WID {self.number}"
        return "\n".join([f"[watcher:{name}]", f"cmd = {cmd}", "graceful_timeout = 0.5", *options])

    def family(self) -> set[int]:
        """Return who lives."""
        return set(alive_with(str(self.number)))

    def grown(self, families: int = 1) -> set[int]:
        """Wait until all are there."""
        until(lambda: len(self.family()) == families * FAMILY)
        return self.family()


def alive_with(word: str) -> list[int]:
    """Return the pids of processes with a word in their command lines."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        one.pid
        for one in found
        if word in (one.info["cmdline"] or ()) and one.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def den(tmp_path: Path) -> Iterator[Den]:
    """Give the den of this test, and empty it in the end."""
    made = Den(tmp_path)
    yield made
    for pid in made.family():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def stop(daemon: Daemon) -> None:
    daemon.ok("stop", name="w", waiting=True)


def quits(daemon: Daemon) -> None:
    assert daemon.stop() == 0


def removed(daemon: Daemon) -> None:
    daemon.ok("rm", name="w", waiting=True)


def decr(daemon: Daemon) -> None:
    daemon.ok("decr", name="w", waiting=True)


@pytest.mark.parametrize("leave", [stop, quits, removed, decr], ids=lambda way: way.__name__)
def test_who_leaves_for_good_leaves_nobody(
    start: Start, den: Den, leave: Callable[[Daemon], None]
) -> None:
    daemon = start(den.watcher())
    den.grown()
    leave(daemon)
    until(lambda: not den.family(), 3 if leave is decr else 0)


def restart(daemon: Daemon) -> None:
    daemon.ok("restart", name="w", waiting=True)


def reload(daemon: Daemon) -> None:
    daemon.ok("reload", name="w", waiting=True)


def kill(daemon: Daemon) -> None:
    daemon.ok("kill", name="w", waiting=True)


def crash(daemon: Daemon) -> None:
    os.kill(daemon.pids("w")[0], signal.SIGKILL)


@pytest.mark.parametrize("leave", [restart, reload, kill, crash], ids=lambda way: way.__name__)
def test_who_is_replaced_leaves_nobody(
    start: Start, den: Den, leave: Callable[[Daemon], None]
) -> None:
    daemon = start(den.watcher())
    before = den.grown()
    leave(daemon)
    until(lambda: not den.family() & before)
    den.grown()
    assert not daemon.zombies()


def test_who_grows_too_old_leaves_nobody(start: Start, den: Den) -> None:
    start(den.watcher("max_age = 1", "max_age_variance = 0"))
    before = den.grown()
    until(lambda: not den.family() & before)


def test_nobody_of_another_tree_goes_along(start: Start, den: Den) -> None:
    daemon = start(f"{den.watcher()}\n{den.watcher(name='other')}")
    den.grown(2)
    bystander = subprocess.Popen(["sleep", str(den.number)], start_new_session=True)
    try:
        stop(daemon)
        assert len(den.family()) == FAMILY + 1
        assert daemon.status("other")["running"] == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_who_was_left_running_keeps_its_descendants_beyond_the_quit(start: Start, den: Den) -> None:
    daemon = start(f"{den.watcher()}\n{den.watcher(name='other')}")
    den.grown(2)
    daemon.ok("rm", name="w", nostop=True, waiting=True)
    daemon.ok("stop", waiting=True)
    until(lambda: len(den.family()) == FAMILY)
    daemon.adrift = den.family()
    assert daemon.stop() == 0
    assert len(den.family()) == FAMILY


def test_an_orphan_of_unknown_origin_goes_with_the_daemon(start: Start, den: Den) -> None:
    # It takes its birthmark off, and its session is not one that was ever seen.
    setsid = f"setsid sh -c 'setsid sleep {den.number} & exit'"
    hide = "import resource, subprocess; resource.setrlimit(10, (-1, -1)); "
    (den.folder / "hider.py").write_text(f"{hide}subprocess.run([{setsid!r}], shell=True)")
    daemon = start(f"[watcher:w]\ncmd = sh -c 'python3 {den.folder}/hider.py; exec sleep 1000'")
    until(lambda: len(den.family()) == 1)
    assert daemon.stop() == 0
    assert not den.family()


@pytest.mark.parametrize("hides_before_it_tells", [True, False])
def test_nobody_leaves_a_control_group(start: Start, den: Den, hides_before_it_tells: bool) -> None:
    if not groups_can_be_made():
        pytest.skip("control groups can not be made here")
    hide = "import resource; resource.setrlimit(10, (-1, -1)); "
    run = (
        f"import subprocess; subprocess.run(['setsid', 'sh', '-c', 'setsid sleep {den.number} &'])"
    )
    (den.folder / "hider.py").write_text(hide + run)
    hider = f"python3 {den.folder}/hider.py"
    cmd = f"sh -c '{hider}; exec sleep {den.number}'"
    if not hides_before_it_tells:
        cmd = f"sh -c '(setsid {hider} &); exec sleep {den.number}'"
    daemon = start(
        f"[watcher:w]\ncmd = {cmd}\nnumprocesses = 3\ncontrol_group = yes\n"
        f"[watcher:other]\ncmd = sleep {den.number}\n"
    )
    until(lambda: len(den.family()) == 3 * 2 + 1)
    own = set(daemon.pids("w"))
    homes = {pid: Path(f"/proc/{pid}/cgroup").read_text() for pid in den.family()}
    assert len(set(homes.values())) == 3 + 1
    victim = min(own)
    os.kill(victim, signal.SIGKILL)
    lost = {pid for pid, home in homes.items() if home == homes[victim]}
    until(lambda: not lost & den.family() and len(den.family()) == 3 * 2 + 1)
    daemon.ok("stop", name="w", waiting=True)
    assert den.family() == set(daemon.pids("other"))


def groups_can_be_made() -> bool:
    groups = ControlGroups()
    leaf = groups.new_leaf()
    groups.close()
    return leaf is not None


PARENT = """
import signal, subprocess, sys, pathlib
child = subprocess.Popen(["sh", "{child}"])
signal.signal(signal.SIGINT, lambda *_: None)
pathlib.Path(sys.argv[1]).touch()
child.wait()
"""


def test_stop_children_sends_the_stop_signal_to_children_as_well(
    start: Start, tmp_path: Path
) -> None:
    # The parent does not mind the signal: it goes only when its child has gone.
    child = f"trap 'echo heard > {tmp_path}/child; exit' INT; while :; do sleep 0.05; done"
    (tmp_path / "child.sh").write_text(child)
    (tmp_path / "parent.py").write_text(PARENT.format(child=f"{tmp_path}/child.sh"))
    options = "stop_signal = INT\nstop_children = yes\ngraceful_timeout = 30\n"
    daemon = start(f"[watcher:w]\ncmd = python3 {tmp_path}/parent.py {tmp_path}/up\n{options}")
    until(lambda: (tmp_path / "up").exists())
    begun = time.monotonic()
    stop(daemon)
    assert time.monotonic() - begun < 10
    assert (tmp_path / "child").read_text() == "heard\n"


def test_many_daemonising_trees_are_stopped_to_the_last(start: Start, den: Den) -> None:
    count = int(os.environ.get("CIRCUS_TEST_TREES", "150"))
    cmd = f"sh -c '(setsid sleep {den.number} &); exec sleep {den.number}'"
    daemon = start(f"[watcher:w]\ncmd = {cmd}\nnumprocesses = {count}\n")
    until(lambda: len(den.family()) == 2 * count, 120)
    begun = time.monotonic()
    stop(daemon)
    took = time.monotonic() - begun
    assert not den.family()
    print(f"{count} daemonising trees stopped in {took:.2f} s")
    until(lambda: not daemon.zombies())
