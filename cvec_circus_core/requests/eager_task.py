"""Coroutines that begin at once: most requests are answered before anything has to be waited for.

A task takes its first step in the next round of the event loop, and costs more than such a request.
So a coroutine is taken as far as it goes without waiting; only where it waits it gets a task, which
goes on from there. (Python 3.12 can make such tasks itself.)
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any


def begin(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]
) -> asyncio.Task[None] | None:
    """Run a coroutine up to where it waits; return the task that goes on, None where it is done.

    Until it waits, the coroutine runs in no task, so it must not ask for the current one. What it
    raises before it waits is raised here.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return loop.create_task(_go_on(work, awaited))


async def _go_on(work: Coroutine[Any, Any, None], awaited: object) -> None:
    await _rest(work, awaited)


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], awaited: object) -> Generator[object, object, None]:
    # What the coroutine waits for is handed on to the task, and what comes of it handed back.
    try:
        while True:
            try:
                result = yield awaited
            except BaseException as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(result)
    except StopIteration:
        return
