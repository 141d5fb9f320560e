"""A clock that is set back or forth changes what is shown, and nothing that is decided."""

from __future__ import annotations

import ast
from pathlib import Path

import psutil
import pytest

from cvec_circus_cli.top.ledger import Ledger
from cvec_circus_core.system.fakes import FakeClock
from cvec_circus_core.system.stats.census import Census
from cvec_circus_plugins._resources import UsageMeter
from cvec_circus_plugins.notifier.event_filter import RateLimit

ROOT = Path(__file__).parents[2]
HOUR = 3600.0
WALL_TIME = {
    "cvec_circus_core/control/server.py": "the time in a reply",
    "cvec_circus_core/runtime/bus.py": "the time of an event",
    "cvec_circus_core/runtime/streams/kept_pipes.py": "the time of a piece of output",
    "cvec_circus_core/runtime/streams/pipe_reader.py": "the time of a piece of output",
    "cvec_circus_core/runtime/streams/watcher_streams.py": "the time of a message",
    "cvec_circus_core/runtime/watcher_hooks.py": "the time that a hook is told",
    "cvec_circus_core/system/clock.py": "the clock itself",
    "cvec_circus_core/system/stats/census.py": "read once, beside the start of the machine",
    "cvec_circus_core/system/stats/usage.py": "read once, beside the start of the machine",
    "cvec_circus_plugins/streams/_file_writer.py": "output without a time of its own",
    "cvec_circus_plugins/streams/fancy.py": "output without a time of its own",
    "cvec_circus_plugins/streams/json.py": "output without a time of its own",
    "cvec_circus_plugins/commands/tail.py": "which lines are shown, by the time of each",
    "cvec_circus_cli/top/feed.py": "the time of a picture",
    "cvec_circus_plugins/flapping.py": "how late an event is heard, where that can be believed",
    "cvec_circus_core/daemon/place.py": "since when it serves, for dstats",
    "cvec_circus_core/keeper/brain.py": "when brains have died, for dstats",
    "cvec_circus_plugins/fleet/operations.py": "when a revision was applied",
    "cvec_circus_plugins/fleet/show.py": "how long ago a revision was applied",
    "cvec_circus_plugins/httpd/event_log.py": "the time of an event",
    "cvec_circus_plugins/httpd/links.py": "expiry, kept in a file for days",
    "cvec_circus_plugins/httpd/sessions.py": "expiry, kept in a file for days",
    "cvec_circus_plugins/httpd/tokens.py": "expiry, kept in a file for days",
    "cvec_circus_plugins/commands/token.py": "expiry, kept in a file for days",
    "cvec_circus_core/extend/plugin_event_loop.py": "a moment that an older plugin names by it",
}
"""Where the time of day is asked for, and what for: to show it, or as a date that is kept."""


class SetClock(FakeClock):
    """A clock whose time of day is set."""

    step = 0.0

    def wall(self) -> float:
        return super().wall() + self.step


def asks_for_wall_time(source: str) -> bool:
    """Tell whether a module asks for the time of day."""
    return any(
        isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in ("wall", "unix_time"))
            or (isinstance(node.func, ast.Name) and node.func.id == "unix_time")
            or ast.unparse(node.func) in ("time.time", "datetime.now", "datetime.utcnow")
        )
        for node in ast.walk(ast.parse(source))
    )


def test_the_time_of_day_is_only_shown() -> None:
    paths = [
        path
        for package in ("cvec_circus_core", "cvec_circus_plugins", "cvec_circus_cli")
        for path in (ROOT / package).rglob("*.py")
    ]
    asking = {str(path.relative_to(ROOT)) for path in paths if asks_for_wall_time(path.read_text())}
    assert asking <= WALL_TIME.keys() | {"cvec_circus_core/system/fakes.py"}
    assert asks_for_wall_time("from x import unix_time\nunix_time()")


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_ages_go_on(step: float) -> None:
    clock = SetClock(wall=psutil.Process().create_time() + 100)
    census = Census(clock)
    pid = psutil.Process().pid
    before = census.read([pid])[pid].age
    clock.step = step
    clock.advance(10)
    after = census.read([pid])[pid].age
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert after - before == pytest.approx(10, abs=0.1)


def test_top_forgets_what_is_gone() -> None:
    ledger = Ledger(forget_after=3.0)
    body = {"pid": 7, "watcher": "w", "cpu": 1.0, "mem": 1.0, "name": None}
    ledger.take("stat.w.7", body, 10.0, 5 * HOUR)
    for second in range(1, 9):
        other = {**body, "pid": 8, "watcher": "v"}
        ledger.take("stat.v.8", other, 10.0 + second, 4 * HOUR + second)
    snapshot = ledger.snapshot()
    assert [group.name for group in snapshot.groups] == ["v"]
    assert snapshot.at == 4 * HOUR + 8


def test_a_processor_is_measured_by_the_clock_that_is_handed_in() -> None:
    meter = UsageMeter()
    info = {"pid": 1, "create_time": 5.0, "cpu": 0.0, "ctime": "0:00.00", "children": []}
    assert meter.load(info, 1.0).cpu is None
    meter.begin()
    assert meter.load({**info, "ctime": "0:01.00"}, 3.0).cpu == 50.0


def test_a_limit_of_messages_is_free_again() -> None:
    limit = RateLimit(1, 10.0)
    assert [limit.admit(at) for at in (0.0, 1.0, 10.5)] == [True, False, True]
