"""Who goes first: in a process of its own, because it is for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "SCHED_RESET_ON_FORK"), reason="only Linux has it"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may go first"),
    pytest.mark.live,
]

SCRIPT = """
import json, os, subprocess, sys, threading
from cvec_circus_core.system.processes import priority
given, niceness, realtime, forbids = json.loads(sys.argv[1])
os.setpriority(os.PRIO_PROCESS, 0, given)
if forbids:
    real = os.sched_setscheduler
    def refuse(pid, policy, param):
        if policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR:
            raise PermissionError
        real(pid, policy, param)
    os.sched_setscheduler = refuse
def look(join=False):
    if join:
        priority.precedence.join()
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.getpriority(os.PRIO_PROCESS, 0)
def in_thread(**how):
    found = []
    thread = threading.Thread(target=lambda: found.append(look(**how)))
    thread.start(); thread.join()
    return found[0]
way = priority.precedence.take(niceness, realtime=realtime)
code = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
said = {"self": look(), "stranger": in_thread(), "joined": in_thread(join=True)}
print(json.dumps({"way": way.name, "child": [int(one) for one in child], **said}))
"""


def taken(given: int, niceness: int, *, realtime: bool, forbids: bool = False) -> dict[str, Any]:
    """Return who goes how, after somebody was nice already or not."""
    words = json.dumps([given, niceness, realtime, forbids])
    done = subprocess.run([sys.executable, "-c", SCRIPT, words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


USUAL = [os.SCHED_OTHER, 0]


@pytest.mark.parametrize("niceness", [0, -20])
def test_in_real_time_other_threads_go_by_niceness_and_children_as_usual(niceness: int) -> None:
    told = taken(0, niceness, realtime=True)
    if told["way"] != "REALTIME":
        pytest.skip("real time is not allowed here")
    assert told["self"] == [os.SCHED_RR, 0]
    assert told["joined"] == [os.SCHED_OTHER, -5]
    assert told["child"] == told["stranger"] == USUAL


@pytest.mark.parametrize(("realtime", "forbids"), [(False, False), (True, True)])
def test_by_niceness_where_real_time_is_not_wanted_or_not_allowed(
    realtime: bool, forbids: bool
) -> None:
    told = taken(0, -7, realtime=realtime, forbids=forbids)
    assert told["way"] == "NICE"
    assert told["self"] == [os.SCHED_OTHER, -7]
    assert told["joined"] == [os.SCHED_OTHER, -5]
    assert told["child"] == told["stranger"] == USUAL


@pytest.mark.parametrize(
    ("given", "niceness", "realtime"), [(0, 0, False), (5, -20, True), (-2, -20, True)]
)
def test_nothing_changes_where_nobody_wants_it_or_somebody_has_chosen(
    given: int, niceness: int, realtime: bool
) -> None:
    told = taken(given, niceness, realtime=realtime)
    assert told["way"] == "NOT"
    for who in ("self", "joined", "child", "stranger"):
        assert told[who] == [os.SCHED_OTHER, given]
