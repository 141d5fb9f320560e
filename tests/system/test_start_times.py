"""When processes were started: as the process table says, whether that was read or not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cvec_circus_core.system.processes import start_times
from cvec_circus_core.system.processes.process_table import read_row
from cvec_circus_core.system.processes.row import Row
from cvec_circus_core.system.processes.start_times import StartTimes

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere the table is always read"
)

TICK = 10**9 // os.sysconf("SC_CLK_TCK")


class Machine:
    """A clock that is set by hand, and a table that counts how often it is read."""

    def __init__(self) -> None:
        self.now = 100 * TICK
        self.started = 100.0
        self.looks = 0

    def look(self, pid: int) -> Row | None:
        """Return the row of a process; there is none with a pid below 0."""
        self.looks += 1
        return None if pid < 0 else Row(pid, 1, pid, pid, self.started, False)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(start_times, "boot_nanoseconds", lambda: machine.now)
    monkeypatch.setattr(start_times, "read_row", machine.look)
    return machine


def test_the_table_is_read_once_where_the_clock_agrees(machine: Machine) -> None:
    times = StartTimes()
    for _ in range(5):
        times.expect()
        assert times.of(7) == 100.0
    assert machine.looks == 1


def test_a_start_over_the_end_of_a_tick_is_read(machine: Machine) -> None:
    times = StartTimes()
    times.expect()
    assert times.of(7) == 100.0
    times.expect()
    machine.now += TICK
    machine.started = 101.0
    assert times.of(8) == 101.0
    assert machine.looks == 2


def test_a_clock_that_says_another_thing_is_never_asked_again(machine: Machine) -> None:
    times = StartTimes()
    machine.started = 93.0
    for pid in range(1, 5):
        times.expect()
        assert times.of(pid) == 93.0
    assert machine.looks == 4


def test_one_that_was_not_expected_is_read(machine: Machine) -> None:
    times = StartTimes()
    times.expect()
    assert times.of(7) == 100.0
    machine.started = 42.0
    assert times.of(8) == 42.0


def test_one_that_is_gone_has_none(machine: Machine) -> None:
    times = StartTimes()
    times.expect()
    assert times.of(-1) is None


def test_real_processes_have_the_times_of_the_table() -> None:
    times = StartTimes()
    for _ in range(50):
        times.expect()
        with subprocess.Popen(["/bin/sleep", "100"]) as child:
            started = times.of(child.pid)
            row = read_row(child.pid)
            child.kill()
        assert row is not None
        assert started == row.started
