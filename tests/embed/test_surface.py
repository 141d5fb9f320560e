"""The library comes in by the port that commands use: the same events, the same audit."""

from __future__ import annotations

import asyncio

import pytest

from cvec_circus_core import Arbiter, Watcher
from cvec_circus_core.model.errors import UnknownProcess
from cvec_circus_core.model.events import Told


async def started(arbiter: Arbiter) -> list[Told]:
    """Start an arbiter in the loop that runs, and return the list that its events go to."""
    await arbiter.start()
    notices: list[Told] = []
    home = arbiter._home
    assert home is not None
    home.engine.bus.listen("test", notices.append)
    return notices


def test_setting_what_is_so_already_tells_an_event_for_each_option() -> None:
    async def main() -> list[str]:
        arbiter = Arbiter([Watcher("web", "sleep 100")], None, None)
        notices = await started(arbiter)
        same = {"numprocesses": 1, "priority": 0, "warmup_delay": 0.0}
        assert await arbiter.get_watcher("web").set_opts(same) == 1
        topics = [notice.topic for notice in notices]
        await arbiter.stop()
        return topics

    topics = asyncio.run(asyncio.wait_for(main(), 20))
    assert sorted(topics) == ["audit.web.set", *["watcher.web.updated"] * 3]


def test_what_the_program_does_is_audited(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        arbiter = Arbiter([Watcher("web", "sleep 100", singleton=True)], None, None)
        await started(arbiter)
        web = arbiter.get_watcher("web")
        assert await web.incr() == 1, "a singleton stays as it is"
        await web.restart()
        with pytest.raises(UnknownProcess):
            await web.kill_process(1)
        await arbiter.stop()

    with caplog.at_level("INFO"):
        asyncio.run(asyncio.wait_for(main(), 20))
    lines = [line for line in caplog.messages if line.startswith("the program itself: ")]
    assert [line.removeprefix("the program itself: ").partition(": ")[0] for line in lines] == [
        "numprocesses name=web",
        "restart name=web",
        "kill name=web pid=1",
        "quit",
    ]
    assert "failed with errno" in lines[2]
