"""Tickets as the runtime hands them out: futures that mind nobody's not waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from types import MappingProxyType

from cvec_circus_core.model.errors import CircusError, GaveUp, RolloutFailed
from cvec_circus_core.model.outcome import Done, Failed, Outcome

NO_NAMES: Mapping[Ticket, str] = MappingProxyType({})


class Ticket:
    """A promise that is settled once. Awaiting it gives `Done` or raises the reason why not."""

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[Done] = loop.create_future()

    def is_settled(self) -> bool:
        """Tell whether the outcome is known."""
        return self._future.done()

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

    def when_settled(self, then: Callable[[], None]) -> None:
        """Call back, from the loop, once the outcome is known."""
        self._future.add_done_callback(lambda _: then())

    def __await__(self) -> Generator[object, None, Done]:
        # A waiter that gives up must not take the promise away from the others.
        return asyncio.shield(self._future).__await__()


def settled(loop: asyncio.AbstractEventLoop, outcome: Outcome) -> Ticket:
    """Return a ticket whose outcome is known already."""
    ticket = Ticket(loop)
    ticket.settle(outcome)
    return ticket


async def wait_all(tickets: Iterable[Ticket], names: Mapping[Ticket, str] = NO_NAMES) -> Done:
    """Wait for all of them and add up what they did. Raises the first failure, after all ended.

    Where a watcher gave up, or its rollout failed, its name stands before the sentence.
    """
    failure: CircusError | None = None
    done: list[Done] = []
    for ticket in tickets:
        try:
            done.append(await ticket)
        except CircusError as error:
            if ticket in names and isinstance(error, GaveUp | RolloutFailed):
                error = type(error)(f"{names[ticket]}: {error}")
            failure = failure or error
    if failure is not None:
        raise failure
    return Done(
        stopped=tuple(pid for one in done for pid in one.stopped),
        started=tuple(pid for one in done for pid in one.started),
        kept=tuple(pid for one in done for pid in one.kept),
        numprocesses=sum(one.numprocesses for one in done),
    )
