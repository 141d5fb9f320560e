"""Tickets as the runtime hands them out: futures that mind nobody's not waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator

from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.policy.watcher.inputs import TicketId


class TicketFuture:
    """A promise that is settled once. Awaiting it gives `Done` or raises the reason why not."""

    __slots__ = ("_future", "is_awaited")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[Done] = loop.create_future()
        self.is_awaited = False
        """Whether anybody has ever waited for the outcome."""

    def is_settled(self) -> bool:
        """Tell whether the outcome is known."""
        return self._future.done()

    def outcome(self) -> Outcome:
        """Return the outcome, which is known."""
        error = self._future.exception()
        return Failed(error) if isinstance(error, CircusError) else self._future.result()

    def settle(self, outcome: Outcome) -> None:
        """Make the outcome known. A second time changes nothing."""
        if self._future.done():
            return
        match outcome:
            case Failed(error):
                self._future.set_exception(error)
                # Nobody has to wait: an unawaited failure is no news for the log.
                self._future.exception()
            case Done():
                self._future.set_result(outcome)

    def raise_if_failed(self) -> None:
        """Raise the reason why not, where that is known already: for callers that can not wait."""
        if self._future.done():
            self._future.result()

    def when_settled(self, then: Callable[[], None]) -> None:
        """Call back, from the loop, once the outcome is known."""
        self.is_awaited = True
        self._future.add_done_callback(lambda _: then())

    def __await__(self) -> Generator[object, None, Done]:
        # A waiter that gives up must not take the promise away from the others.
        self.is_awaited = True
        return asyncio.shield(self._future).__await__()


class TicketCounter:
    """Numbers the tickets of one machine, and holds those that are open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._count = 0
        self.open: dict[TicketId, TicketFuture] = {}

    def issue(self) -> tuple[TicketId, TicketFuture]:
        """Return a new ticket with its number."""
        self._count += 1
        number = TicketId(self._count)
        ticket = self.open[number] = TicketFuture(self._loop)
        return number, ticket

    def settle(self, number: TicketId, outcome: Outcome) -> None:
        """Settle a ticket, unless it is open no more."""
        ticket = self.open.pop(number, None)
        if ticket is not None:
            ticket.settle(outcome)


def settled(loop: asyncio.AbstractEventLoop, outcome: Outcome) -> TicketFuture:
    """Return a ticket whose outcome is known already."""
    ticket = TicketFuture(loop)
    ticket.settle(outcome)
    return ticket
