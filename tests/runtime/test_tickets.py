"""Tickets at run time: settled once, awaited by many or by none."""

from __future__ import annotations

import asyncio
import gc

import pytest

from cvec_circus_core.model.errors import GaveUp, Superseded
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.runtime.tickets import TicketFuture, settled
from tests.runtime.memory import in_memory

DONE = Done(started=(7,), numprocesses=1)


def new_ticket() -> TicketFuture:
    """Return a ticket that nothing is known of."""
    return TicketFuture(asyncio.get_running_loop())


@in_memory
async def test_awaiting_gives_what_was_done() -> None:
    ticket = new_ticket()
    assert not ticket.is_settled()
    ticket.settle(DONE)
    assert ticket.is_settled()
    assert await ticket == DONE == ticket.outcome()


@in_memory
async def test_awaiting_raises_why_not() -> None:
    ticket = new_ticket()
    ticket.settle(Failed(GaveUp("no such file")))
    with pytest.raises(GaveUp, match="no such file"):
        await ticket
    with pytest.raises(GaveUp):
        ticket.raise_if_failed()
    assert isinstance(ticket.outcome(), Failed)


@in_memory
async def test_nothing_is_raised_before_it_is_known() -> None:
    new_ticket().raise_if_failed()
    settled(asyncio.get_running_loop(), DONE).raise_if_failed()


@in_memory
async def test_a_second_outcome_changes_nothing() -> None:
    ticket = new_ticket()
    ticket.settle(DONE)
    ticket.settle(Failed(Superseded("start", "stop")))
    assert await ticket == DONE


@in_memory
async def test_a_waiter_that_gives_up_takes_it_from_no_other() -> None:
    ticket = new_ticket()

    async def wait() -> Done:
        return await ticket

    patient = asyncio.create_task(wait())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await ticket
    assert not ticket.is_settled()
    ticket.settle(DONE)
    assert await patient == DONE


@in_memory
async def test_callers_are_called_back_once_whenever_they_ask() -> None:
    ticket, calls = new_ticket(), []
    ticket.when_settled(lambda: calls.append("early"))
    ticket.settle(DONE)
    ticket.when_settled(lambda: calls.append("late"))
    assert calls == [], "never inside settle()"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert calls == ["early", "late"]


@in_memory
async def test_a_failure_that_is_not_awaited_is_no_news() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    new_ticket().settle(Failed(GaveUp("no")))
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
