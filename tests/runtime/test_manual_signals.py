"""Signals by hand: to whom they go, and when their ticket is settled."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import BadMessage, SystemProblem, UnknownProcess
from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.runtime.manual_signals import (
    PendingSignals,
    is_indirect,
    send_indirectly,
)
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.system.fakes import Behaviour, FakeProcesses
from cvec_circus_core.system.protocols import Scope, SignalResult
from tests.runtime.memory import in_memory

HUP = int(signal.SIGHUP)
SENT, NOBODY = SignalResult(True), SignalResult(False)
REFUSED = SignalResult(False, "process 7 belongs to another user")


def new_ticket() -> TicketFuture:
    """Return a ticket of the running loop."""
    return TicketFuture(asyncio.get_running_loop())


def started(processes: FakeProcesses, count: int) -> list[int]:
    """Start some processes; return their pids."""
    for _ in range(count):
        processes.spawn(LaunchPlan(argv=("x",), env={}), Stdio(), lambda _: None, lambda *_: None)
    processes.deliver()
    return sorted(processes.alive())


@pytest.mark.parametrize(
    ("selection", "indirect"),
    [
        (SignalSelection(), False),
        (SignalSelection(pid=7), False),
        (SignalSelection(pid=7, childpid=8), True),
        (SignalSelection(children=True), True),
        (SignalSelection(recursive=True), True),
    ],
)
def test_to_others_than_the_processes_themselves(
    selection: SignalSelection, indirect: bool
) -> None:
    assert is_indirect(selection) is indirect


@pytest.mark.parametrize(
    ("results", "failure"),
    [
        ([SENT, SENT], None),
        ([SENT, NOBODY], None),
        ([SENT, REFUSED], "process 7 belongs to another user"),
        ([REFUSED, SENT], "process 7 belongs to another user"),
    ],
)
@in_memory
async def test_the_ticket_waits_for_all(results: list[SignalResult], failure: str | None) -> None:
    ticket = new_ticket()
    pending = PendingSignals(ticket, len(results))
    for result in results:
        assert not ticket.is_settled()
        pending.on_signalled(result)
    if failure is None:
        assert await ticket == Done()
        return
    with pytest.raises(SystemProblem, match=failure):
        ticket.raise_if_failed()


@in_memory
async def test_nobody_to_wait_for_is_done_at_once() -> None:
    ticket = new_ticket()
    PendingSignals(ticket, 0)
    assert await ticket == Done()


@in_memory
async def test_what_a_hook_is_asked_about_is_not_waited_for() -> None:
    ticket = new_ticket()
    pending = PendingSignals(ticket, 2)
    pending.on_deferred()
    pending.on_signalled(SENT)
    assert await ticket == Done()


@pytest.mark.parametrize("answers_later", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("selection", "scope"),
    [
        (SignalSelection(children=True), Scope.CHILDREN),
        (SignalSelection(recursive=True), Scope.TREE),
    ],
)
@in_memory
async def test_children_and_trees(
    selection: SignalSelection, scope: Scope, answers_later: bool
) -> None:
    processes = FakeProcesses(answers_later=answers_later)
    processes.behaviour = Behaviour(ignores=frozenset({HUP}))
    pids, ticket = started(processes, 2), new_ticket()
    send_indirectly(processes, "web", pids, HUP, selection, ticket)
    assert ticket.is_settled() is not answers_later
    processes.deliver()
    assert await ticket == Done()
    assert processes.signals == [(pid, HUP, scope) for pid in pids]


@pytest.mark.parametrize("answers_later", [False, True], ids=["at once", "later"])
@in_memory
async def test_a_child_that_is_not_there_is_told(answers_later: bool) -> None:
    processes = FakeProcesses(answers_later=answers_later)
    pids, ticket = started(processes, 1), new_ticket()
    send_indirectly(processes, "web", pids, HUP, SignalSelection(pid=pids[0], childpid=5), ticket)
    processes.deliver()
    with pytest.raises(UnknownProcess, match="process 5 not found in 'web'"):
        await ticket


@in_memory
async def test_a_child_needs_its_parent() -> None:
    processes: Any = FakeProcesses()
    with pytest.raises(BadMessage, match="childpid needs the pid of its parent"):
        send_indirectly(processes, "web", [1, 2], HUP, SignalSelection(childpid=5), new_ticket())
