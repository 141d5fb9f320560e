"""An upgrade as the keeper sees it, in memory: what is started next, and what is said of it."""

from __future__ import annotations

import asyncio

from cvec_circus_core.keeper.upgrade_trial import TrialWatch

OLD, NEW = ("old/python", "-m", "circusd"), ("new/python", "-m", "circusd")


class Yard:
    """A brain that does what a test says."""

    def __init__(self) -> None:
        self.answers = True
        self.asked = self.ended = self.told = 0
        self.watch = TrialWatch(asyncio.get_running_loop(), self._ask, self._end, self._tell)

    def _ask(self) -> bool:
        self.asked += 1
        return self.answers

    def _end(self) -> None:
        self.ended += 1

    def _tell(self) -> None:
        self.told += 1

    @property
    def outcome(self) -> object:
        assert self.watch.trial is not None
        return self.watch.trial.facts()["outcome"]

    async def until(self, count: int, name: str) -> None:
        async with asyncio.timeout(30):
            while getattr(self, name) < count:  # noqa: ASYNC110 - the watch knows no events
                await asyncio.sleep(0.001)


async def begun(watch: float = 0.0, limit: float = 100.0) -> Yard:
    yard = Yard()
    yard.watch.plan("new/python", OLD, watch, limit)
    assert yard.ended == 1
    assert yard.watch.reason("was ended by SIGKILL") == "was ended for an upgrade"
    assert yard.watch.next_argv(OLD, "was ended for an upgrade") == NEW
    return yard


def test_one_that_serves_and_answers_stays() -> None:
    async def run() -> None:
        yard = await begun()
        yard.watch.became_ready()
        await yard.until(1, "asked")
        assert yard.outcome == "under way"
        yard.watch.answered()
        assert (yard.outcome, yard.told) == ("done", 1)
        # It may die later, as any may.
        assert yard.watch.next_argv(NEW, "was ended by SIGKILL") == NEW

    asyncio.run(run())


def test_one_of_an_older_version_that_can_not_answer_stays_too() -> None:
    async def run() -> None:
        yard = await begun()
        yard.answers = False
        yard.watch.became_ready()
        await yard.until(1, "told")
        assert yard.outcome == "done"

    asyncio.run(run())


def test_one_that_dies_is_followed_by_the_one_before() -> None:
    async def run() -> None:
        yard = await begun()
        yard.watch.complain("circusd: it can not listen")
        end = yard.watch.reason("ended with exit code 1")
        assert yard.watch.next_argv(NEW, end) == OLD
        assert yard.outcome == "failed: ended with exit code 1 (circusd: it can not listen)"

    asyncio.run(run())


def test_one_that_does_not_serve_in_time_is_ended() -> None:
    async def run() -> None:
        yard = await begun(limit=0.01)
        await yard.until(2, "ended")
        assert yard.watch.reason("was ended by SIGKILL").endswith("(it did not serve in 0.01 s)")

    asyncio.run(run())


def test_a_second_one_waits_for_the_first() -> None:
    async def run() -> None:
        yard = await begun()
        yard.watch.plan("third/python", OLD, 1.0, 1.0)
        assert yard.ended == 1
        yard.watch.close()

    asyncio.run(run())


def test_the_code_of_the_next_brain_has_a_number() -> None:
    async def run() -> None:
        yard = Yard()
        assert yard.watch.edition == 0
        yard.watch.plan("new/python", OLD, 0.0, 100.0)
        assert yard.watch.edition == 0  # the one before ends first
        yard.watch.next_argv(OLD, "was ended for an upgrade")
        assert yard.watch.edition == 1
        yard.watch.next_argv(NEW, "was ended by SIGSEGV")
        assert yard.watch.edition == 0  # it has failed
        yard.watch.plan("new/python", OLD, 0.0, 100.0)
        yard.watch.next_argv(OLD, "was ended for an upgrade")
        yard.watch.answered()
        assert (yard.outcome, yard.watch.edition) == ("done", 2)
        yard.watch.close()

    asyncio.run(run())
