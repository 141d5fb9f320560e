"""Starting many watchers in the order of their priority."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from cvec_circus_core.model.outcome import Done
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.runtime.tickets import Ticket, wait_all
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.world import World


async def start_in_order(
    groups: Sequence[Sequence[WatcherActor]], warmup_delay: float, world: World
) -> Done:
    """Start group after group; watchers of one group start side by side.

    The next group starts when each of the group has started, given up, or failed for the first
    time: one watcher that can not start delays nobody. ``warmup_delay`` seconds pass between two
    watchers.
    """
    tickets: list[Ticket] = []
    for group in groups:
        begun: list[asyncio.Future[None]] = []
        for one in group:
            if tickets and warmup_delay > 0:
                await _pass(warmup_delay, world)
            ticket = one.wish(Go.START)
            tickets.append(ticket)
            begun.append(_begun(one, ticket, world))
        await _all(begun)
    return await wait_all(tickets)


async def _all(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        await future


def _begun(one: WatcherActor, ticket: Ticket, world: World) -> asyncio.Future[None]:
    begun: asyncio.Future[None] = world.loop.create_future()

    def mark() -> None:
        if not begun.done():
            begun.set_result(None)

    forget = one.on_trouble(mark)
    ticket.when_settled(mark)
    ticket.when_settled(forget)
    return begun


async def _pass(seconds: float, world: World) -> None:
    passed: asyncio.Future[None] = world.loop.create_future()

    def mark() -> None:
        if not passed.done():
            passed.set_result(None)

    cancel = world.clock.wait(seconds, mark)
    try:
        await passed
    finally:
        cancel()
