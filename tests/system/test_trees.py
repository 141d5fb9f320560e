"""Whatever a process starts, and however that hides, it goes when the tree is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.system.processes.cgroups import ControlGroups, own_group
from cvec_circus_core.system.processes.process_table import (
    descendants_in,
    descendants_of,
    read_row,
    read_table,
)
from cvec_circus_core.system.protocols import Scope, SignalResult
from tests.spawned import signalled

pytestmark = pytest.mark.live

TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)


def is_gone(pid: int) -> bool:
    row = read_row(pid)
    return row is None or row.is_dead


@pytest.fixture(scope="module")
def groups_work() -> bool:
    groups = ControlGroups()
    try:
        return groups.new_leaf() is not None
    finally:
        groups.close()


# How a descendant tries to get out of sight; each writes its pid to the file "child".
SAME_SESSION = "sh -c 'echo $$ > {folder}/child; exec sleep 60' & wait"
OWN_SESSION = "setsid sh -c 'echo $$ > {folder}/child; exec sleep 60' & wait"
GRANDCHILD = "sh -c 'setsid sh -c \"echo \\$\\$ > {folder}/child; exec sleep 60\" & wait' & wait"
STUBBORN = "setsid sh -c 'trap \"\" TERM; echo $$ > {folder}/child; exec sleep 60' & wait"
DETACHED = "setsid sh -c 'sh -c \"echo \\$\\$ > {folder}/child; exec sleep 60\" & exit 0'; sleep 60"


@pytest.mark.parametrize("signum", [TERM, KILL])
@pytest.mark.parametrize("script", [SAME_SESSION, OWN_SESSION, GRANDCHILD])
def test_a_signal_reaches_the_whole_tree(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int], script: str, signum: int
) -> None:
    pid = yard.spawn(script.format(folder=tmp_path))
    yard.until(lambda: pid_in("child") > 0)
    assert signalled(yard.processes, pid, signum, Scope.TREE) == SignalResult(True)
    yard.until(lambda: bool(yard.told) and is_gone(pid_in("child")))


_COUNTER = """
import pathlib, signal, subprocess, sys
counted, over = signal.SIGRTMIN, signal.SIGRTMIN + 1  # these queue up; others would melt into one
signal.pthread_sigmask(signal.SIG_BLOCK, [counted, over])
folder, me, *below = sys.argv[1:]
child = subprocess.Popen([sys.executable, __file__, folder, *below]) if below else None
file = pathlib.Path(folder, me)
file.write_text("ready")
file.write_text(str([signal.sigwait([counted, over]) for _ in range(2)].count(counted)))
"""


def test_each_of_a_tree_is_signalled_once(yard: Any, tmp_path: Path) -> None:
    counter = tmp_path / "counter.py"
    counter.write_text(_COUNTER)
    files = [tmp_path / name for name in ("top", "middle", "bottom")]

    def all_say(said: str) -> bool:
        return all(file.exists() and file.read_text() == said for file in files)

    pid = yard.spawn(f"exec {sys.executable} {counter} {tmp_path} top middle bottom")
    yard.until(lambda: all_say("ready"))
    yard.processes.signal(pid, signal.SIGRTMIN, Scope.TREE)
    yard.processes.signal(pid, signal.SIGRTMIN + 1, Scope.TREE)
    yard.until(lambda: bool(yard.told) and all_say("1"))


def test_who_was_seen_is_reached_when_the_chain_is_broken(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int]
) -> None:
    middle = f"echo $$ > {tmp_path}/middle; {OWN_SESSION.format(folder=tmp_path)}"
    (tmp_path / "middle.sh").write_text(middle)
    pid = yard.spawn(f"sh {tmp_path}/middle.sh & sleep 60")
    yard.until(lambda: pid_in("child") > 0)
    yard.processes.signal(pid, signal.SIGCONT, Scope.TREE)  # harmless, but it looks at the tree
    subprocess.run(["kill", "-9", str(pid_in("middle"))], check=True)
    yard.until(lambda: is_gone(pid_in("middle")))
    yard.processes.signal(pid, KILL, Scope.TREE)
    yard.until(lambda: bool(yard.told) and is_gone(pid_in("child")))


@pytest.mark.parametrize("script", [OWN_SESSION, STUBBORN])
def test_who_was_seen_is_swept_after_the_parent(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int], script: str
) -> None:
    pid = yard.spawn(script.format(folder=tmp_path))
    yard.until(lambda: pid_in("child") > 0)
    yard.processes.signal(pid, signal.SIGCONT, Scope.TREE)  # harmless, but it looks at the tree
    yard.processes.signal(pid, KILL)
    yard.until(lambda: bool(yard.told))
    assert yard.told[0][1].left_behind is True
    swept: list[int] = []
    yard.processes.kill_leftovers(pid, TERM, 0.3, swept.append)
    yard.until(lambda: bool(swept))
    assert is_gone(pid_in("child"))


def test_what_forks_while_it_is_swept_is_swept_too(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int]
) -> None:
    heir = f'trap "" TERM; echo $$ > {tmp_path}/heir; exec sleep 60'
    trap = f"trap \"sh -c '{heir}' & exit\" TERM"
    script = f"sh -c '{trap}; echo $$ > {tmp_path}/child; while :; do sleep 0.05; done' & sleep 60"
    pid = yard.spawn(script.replace(f"sh -c '{heir}'", f"sh {tmp_path}/heir.sh"))
    (tmp_path / "heir.sh").write_text(heir)
    yard.until(lambda: pid_in("child") > 0)
    yard.processes.signal(pid, KILL)
    yard.until(lambda: bool(yard.told))
    swept: list[int] = []
    yard.processes.kill_leftovers(pid, TERM, 0.5, swept.append)
    yard.until(lambda: bool(swept))
    assert pid_in("heir") > 0
    assert is_gone(pid_in("heir"))
    assert is_gone(pid_in("child"))


@pytest.mark.parametrize("script", [SAME_SESSION, OWN_SESSION, STUBBORN, DETACHED])
def test_a_contained_tree_is_swept_though_nobody_looked(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int], groups_work: bool, script: str
) -> None:
    if not groups_work:
        pytest.skip("no control groups may be made here")
    pid = yard.spawn(script.format(folder=tmp_path), contain=True)
    yard.until(lambda: pid_in("child") > 0)
    yard.processes.signal(pid, KILL)
    yard.until(lambda: bool(yard.told))
    assert yard.told[0][1].left_behind is True
    swept: list[int] = []
    yard.processes.kill_leftovers(pid, TERM, 0.3, swept.append)
    yard.until(lambda: bool(swept))
    assert is_gone(pid_in("child"))
    yard.processes.close()
    home = own_group()
    assert home is not None
    assert not (home / f"circus-{os.getpid()}").exists()


def test_a_contained_tree_is_killed_at_once(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int], groups_work: bool
) -> None:
    if not groups_work:
        pytest.skip("no control groups may be made here")
    pid = yard.spawn(DETACHED.format(folder=tmp_path), contain=True)
    yard.until(lambda: pid_in("child") > 0)
    yard.processes.signal(pid, KILL, Scope.TREE)
    yard.until(lambda: bool(yard.told) and is_gone(pid_in("child")))


def test_sessions_of_strangers_are_left_alone(
    yard: Any, tmp_path: Path, pid_in: Callable[[str], int]
) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    pid = yard.spawn(SAME_SESSION.format(folder=tmp_path))
    yard.until(lambda: pid_in("child") > 0)
    yard.processes.signal(pid, KILL)
    yard.until(lambda: bool(yard.told))
    swept: list[int] = []
    yard.processes.kill_leftovers(pid, KILL, 0, swept.append)
    yard.until(lambda: bool(swept))
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


_ORPHANS = """
import asyncio, os, signal, subprocess, threading, time
from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.system.processes.orphans import OrphanReaper
from cvec_circus_core.system.prctl import become_subreaper
from cvec_circus_core.system.processes.local_owner import choose_processes
from cvec_circus_core.system.processes.process_table import children_of
from cvec_circus_core.system.signals import DaemonSignals

async def main():
    assert become_subreaper()
    loop = asyncio.get_running_loop()
    processes = choose_processes(loop)
    reaper = OrphanReaper(loop, lambda pid: pid in processes.alive())
    signals = DaemonSignals(loop)
    assert signals.install({signal.SIGCHLD: reaper.child_died})
    codes = []
    told = lambda pid, ended: codes.append(ended.code)
    script = "setsid sh -c 'sh -c \\"sleep 0.2\\" & exit 0'; exit 5"
    for _ in range(20):
        plan = LaunchPlan(argv=("/bin/sh", "-c", script), env=dict(os.environ))
        processes.spawn(plan, Stdio(), lambda result: None, told)
    # Somebody else's children: one waited for late, one never.
    late = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
    never = subprocess.Popen(["/bin/true"])
    async with asyncio.timeout(20):
        while reaper.reaped < 20 or len(codes) < 20:
            await asyncio.sleep(0.01)
    assert codes == [5] * 20, codes
    assert late.wait() == 7
    assert [row.pid for row in children_of(os.getpid())] == [never.pid]
    never.wait()
    signals.restore()
    reaper.close()
    processes.close()

asyncio.run(main())
"""


def test_a_subreaper_collects_orphans_and_no_status_of_others() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _ORPHANS], capture_output=True, text=True, timeout=40
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_both_ways_to_find_descendants_agree(tmp_path: Path) -> None:
    top = subprocess.Popen(["sh", "-c", "sh -c 'sleep 60 & sleep 60 & wait' & wait"])
    try:
        while len(descendants_of([top.pid])) < 3:
            assert top.poll() is None
        walked = {row.pid for row in descendants_of([top.pid])}
        assert walked == {row.pid for row in descendants_in(read_table(), [top.pid])}
    finally:
        for row in descendants_of([top.pid]):
            subprocess.run(["kill", "-9", str(row.pid)], check=False)
        top.kill()
        top.wait()


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "home"),
    [
        (
            "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
            "0::/a.slice/b",
            "/sys/fs/cgroup/a.slice/b",
        ),
        (
            "41 31 0:29 / /x/uni\\040fied rw,relatime - cgroup2 none rw",
            "3:cpu:/z\n0::/",
            "/x/uni fied",
        ),
        (
            "31 23 0:28 /box /sys/fs/cgroup ro - cgroup2 cgroup rw",
            "0::/box/in",
            "/sys/fs/cgroup/in",
        ),
        ("31 23 0:28 /box /sys/fs/cgroup ro - cgroup2 cgroup rw", "0::/other", None),
        ("31 23 0:28 / /sys/fs/cgroup rw - cgroup cgroup rw", "0::/", None),
        ("31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "1:cpu:/", None),
    ],
)
def test_our_own_group_is_found(
    tmp_path: Path, mountinfo: str, cgroup: str, home: str | None
) -> None:
    (tmp_path / "mountinfo").write_text(mountinfo + "\n")
    (tmp_path / "cgroup").write_text(cgroup + "\n")
    assert own_group(tmp_path) == (None if home is None else Path(home))
