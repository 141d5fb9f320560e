"""Random edits of a configuration: what the plan says is what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hypothesis import given, settings, strategies as st

from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.config_steps import Action, plan_options
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.policy.watcher.spec_change import changed
from tests.runtime.memory import MemoryDaemon

NAMES = ("alpha", "Beta", "gamma", "delta")

specs = st.fixed_dictionaries(
    {
        "cmd": st.sampled_from(["one", "two"]),
        "numprocesses": st.integers(0, 3),
        "priority": st.integers(0, 2),
        "graceful_timeout": st.sampled_from([1.0, 2.0]),
        "autostart": st.booleans(),
        "singleton": st.just(False),
        "max_age": st.sampled_from([0.0, 1e6]),
    }
)
files = st.dictionaries(st.sampled_from(NAMES), specs, max_size=4)


def watchers(file: Mapping[str, Mapping[str, object]]) -> tuple[WatcherSpec, ...]:
    """Return the watchers of a file."""
    return tuple(WatcherSpec(name=name, **options) for name, options in file.items())  # type: ignore[arg-type]


@settings(max_examples=120, deadline=None)
@given(files, files, st.sets(st.sampled_from(NAMES)), st.booleans(), st.booleans())
def test_what_the_plan_says_is_what_happens(
    old: dict[str, dict[str, object]],
    new: dict[str, dict[str, object]],
    stopped: set[str],
    adds: bool,
    sets: bool,
) -> None:
    async def live() -> None:
        daemon = MemoryDaemon(*watchers(old))
        arbiter = daemon.arbiter
        await daemon.rest(arbiter.start_all())
        for name in stopped & set(old):
            await daemon.rest(arbiter.watcher(name).wish(Go.STOP))
        if adds:
            await daemon.rest(arbiter.add_spec(WatcherSpec(name="own", cmd="own")).wish(Go.START))
        if sets and "alpha" in old:
            one = arbiter.watcher("alpha")
            spec = replace(one.spec, graceful_timeout=9.0)
            what = changed(one.spec, spec)
            await daemon.rest(one.change_spec(spec, what.keys, what.needs))
        daemon.file = Configuration(ArbiterSpec(), watchers(new))
        before, said = daemon.pids(), len(daemon.events)
        down = {
            name_key(watcher.name)
            for watcher in arbiter.actors()
            if watcher.status is WatcherStatus.STOPPED
        }
        planned = arbiter.plan_config(allow_empty=True)
        assert len(daemon.events) == said, "a plan changes nothing"
        plan, ticket = arbiter.reload_config(allow_empty=True)
        assert plan.as_json() == planned.as_json()
        await daemon.rest(ticket)
        after = daemon.pids()
        assert {name_key(one.watcher) for one in plan.steps} == set(before) | set(after)
        for step in plan.steps:
            key = name_key(step.watcher)
            check(step.action, before.get(key, set()), after.get(key), daemon, key)
            if key in down and key in after:
                assert after[key] == set(), "what was stopped by hand stays so"
        if adds:
            assert after["own"] == before["own"]
        if sets and "alpha" in old and "alpha" in new:
            differs = old["alpha"]["graceful_timeout"] != new["alpha"]["graceful_timeout"]
            wanted = new["alpha"]["graceful_timeout"] if differs else 9.0
            assert arbiter.watcher("alpha").spec.graceful_timeout == wanted
        again = arbiter.plan_config(allow_empty=True)
        assert {one.action for one in again.steps} <= {Action.KEEP}

    asyncio.run(live())


def check(
    action: Action, before: set[int], after: set[int] | None, daemon: MemoryDaemon, key: str
) -> None:
    """Hold what happened against what was said."""
    if action is Action.REMOVE:
        assert after is None
        return
    assert after is not None
    spec = daemon.arbiter.watcher(key).spec
    match action:
        case Action.KEEP | Action.SET:
            assert after == before
        case Action.RESIZE:
            assert len(after) == spec.numprocesses
            assert after <= before or before <= after
        case Action.RELOAD:
            assert len(after) == spec.numprocesses
            assert not after & before
        case Action.ADD:
            assert len(after) == (spec.numprocesses if spec.autostart else 0)
        case _:
            raise AssertionError(f"{action} was not to be expected")


def test_those_that_go_come_first_then_the_highest_priority() -> None:
    async def live() -> None:
        old = {name: {"cmd": "x", "priority": priority} for priority, name in enumerate(NAMES)}
        daemon = MemoryDaemon(*watchers(old))
        daemon.file = Configuration(
            ArbiterSpec(), watchers({"alpha": old["alpha"], "new": {"cmd": "y", "priority": 7}})
        )
        told = [(step.action.value, step.watcher) for step in daemon.arbiter.plan_config().steps]
        assert told == [
            ("remove", "Beta"),
            ("remove", "gamma"),
            ("remove", "delta"),
            ("add", "new"),
            ("keep", "alpha"),
        ]

    asyncio.run(live())


def test_options_of_the_daemon_count_at_once_or_at_its_next_start() -> None:
    now = ArbiterSpec()
    new = replace(now, loglevel="debug", warmup_delay=1.0, endpoint="tcp://127.0.0.1:1")
    found = plan_options(now, new)
    assert (found.at_once, found.at_next_start) == (("warmup_delay", "loglevel"), ("endpoint",))
