"""Which of the processes that wait has its turn, and which are ended: in memory."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from typing import cast

import pytest

from cvec_circus_core.keeper.standbys import Standbys
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.processes.local import LocalProcesses
from cvec_circus_core.system.state_store import OnExit


class Children:
    """Processes that do what a test says."""

    def __init__(self) -> None:
        self.signals: list[tuple[int, int]] = []
        self.on_exit: dict[int, OnExit] = {}
        self.strangers: set[int] = set()

    def adopt(self, pid: int, on_exit: OnExit, *, title: str) -> None:
        if pid in self.strangers:
            raise ChildProcessError("no child processes")
        self.on_exit[pid] = on_exit

    def signal(self, pid: int, signum: int) -> None:
        self.signals.append((pid, signum))

    def end(self, pid: int, code: int = 0) -> None:
        self.on_exit.pop(pid)(pid, Exit(code))


class Yard:
    """Standbys, and those who wait for their ends."""

    def __init__(self) -> None:
        self.children = Children()
        self.ended: list[int] = []
        self.standbys = Standbys(
            cast(LocalProcesses, self.children), lambda pid, _: self.ended.append(pid)
        )
        self.far_ends: dict[int, socket.socket] = {}

    def add(self, pid: int, edition: int = 0) -> None:
        ours, self.far_ends[pid] = wire.pair()
        self.standbys.add(pid, ours, edition)

    def is_connected(self, pid: int) -> bool:
        try:
            self.far_ends[pid].send(b"?")
        except BrokenPipeError:
            return False
        return True


@pytest.fixture
def yard() -> Iterator[Yard]:
    yard = Yard()
    yield yard
    for far_end in yard.far_ends.values():
        far_end.close()


def test_the_one_that_waits_has_the_next_turn(yard: Yard) -> None:
    assert yard.standbys.take(0) is None
    yard.add(7)
    standby = yard.standbys.take(0)
    assert standby is not None
    assert standby.pid == 7
    assert yard.children.signals == [(7, signal.SIGCONT)]
    assert yard.standbys.take(0) is None
    yard.children.end(7)
    assert yard.ended == [7]
    standby.connection.close()


def test_a_second_one_of_the_same_code_takes_the_place_of_the_first(yard: Yard) -> None:
    yard.add(7)
    yard.add(8)
    assert yard.children.signals == [(7, signal.SIGKILL)]
    assert not yard.is_connected(7)
    yard.children.end(7)
    assert yard.ended == []
    assert yard.is_connected(8)


def test_one_of_other_code_waits_beside_it_until_that_is_decided(yard: Yard) -> None:
    yard.add(7, edition=0)
    yard.add(8, edition=1)
    assert yard.children.signals == []
    yard.standbys.keep_only(0)
    assert yard.children.signals == [(8, signal.SIGKILL)]
    assert yard.standbys.take(1) is None
    assert yard.standbys.take(0) is not None


def test_one_that_dies_while_it_waits_is_no_brain_that_has_died(yard: Yard) -> None:
    yard.add(7)
    yard.children.end(7)
    assert yard.ended == []
    assert yard.standbys.take(0) is None
    assert not yard.is_connected(7)


def test_one_that_is_no_child_is_of_no_use(yard: Yard) -> None:
    yard.children.strangers.add(7)
    yard.add(7)
    assert yard.standbys.take(0) is None
    assert not yard.is_connected(7)


def test_the_end_waits_for_all_of_them(yard: Yard) -> None:
    ends: list[str] = []
    yard.standbys.end(lambda: ends.append("none there"))
    assert ends == ["none there"]
    yard.add(7, edition=0)
    yard.add(8, edition=1)
    yard.standbys.end(lambda: ends.append("all gone"))
    yard.children.end(8)
    assert ends == ["none there"]
    yard.children.end(7)
    assert ends == ["none there", "all gone"]
