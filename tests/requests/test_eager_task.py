"""Coroutines that begin at once: the same as in a task, but that they are done sooner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cvec_circus_core.requests.eager_task import begin

Story = list[str]
Work = Callable[[Story, "asyncio.Future[str]"], Coroutine[Any, Any, None]]


async def never_waits(story: Story, _: asyncio.Future[str]) -> None:
    story.append("done")


async def waits(story: Story, future: asyncio.Future[str]) -> None:
    story.append("begun")
    story.append(await future)
    await asyncio.sleep(0)
    story.append("done")


async def minds_its_cancelling(story: Story, future: asyncio.Future[str]) -> None:
    try:
        story.append(await future)
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        story.append("cancelled")
        raise


async def swallows_an_error(story: Story, future: asyncio.Future[str]) -> None:
    try:
        await future
    except OSError as error:
        story.append(f"caught {error}")


async def tell(work: Work, what: Callable[[asyncio.Future[str], Any], None]) -> Story:
    """Begin a piece of work, let something happen, and return what it told until its end."""
    loop = asyncio.get_running_loop()
    story: Story = []
    future: asyncio.Future[str] = loop.create_future()
    task = begin(loop, work(story, future))
    story.append("-")
    await asyncio.sleep(0)
    what(future, task)
    if task is not None:
        await asyncio.wait([task])
        story.append("task cancelled" if task.cancelled() else f"task {task.exception()}")
    return story


def answer(future: asyncio.Future[str], _: Any) -> None:
    future.set_result("answer")


def fail(future: asyncio.Future[str], _: Any) -> None:
    future.set_exception(OSError("broken"))


def cancel(_: asyncio.Future[str], task: Any) -> None:
    task.cancel()


@pytest.mark.parametrize(
    ("work", "what", "story"),
    [
        (never_waits, answer, ["done", "-"]),
        (waits, answer, ["begun", "-", "answer", "done", "task None"]),
        (waits, fail, ["begun", "-", "task broken"]),
        (waits, cancel, ["begun", "-", "task cancelled"]),
        (minds_its_cancelling, cancel, ["-", "cancelled", "task cancelled"]),
        (swallows_an_error, fail, ["-", "caught broken", "task None"]),
    ],
)
def test_it_goes_as_far_as_it_can(
    work: Work, what: Callable[[asyncio.Future[str], Any], None], story: Story
) -> None:
    assert asyncio.run(tell(work, what)) == story


def test_what_it_raises_at_once_is_raised_here() -> None:
    async def breaks() -> None:
        raise KeyError("x")

    async def main() -> None:
        with pytest.raises(KeyError):
            begin(asyncio.get_running_loop(), breaks())

    asyncio.run(main())
