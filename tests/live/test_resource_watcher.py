"""ResourceWatcher live: workers that really compute and grow, and what becomes of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.receivers import Statsd, statsd
from tests.live.wire import Ear

Listen = Callable[..., Ear]

USING = f"{sys.executable} {Path(__file__).with_name('using.py')}"
COUNTED = r"circus\.app\.watcher\._resource_watcher\.tried\."


@pytest.fixture
def server() -> Iterator[Statsd]:
    """Return a socket where statsd would listen."""
    with statsd() as one:
        yield one


def sections(
    server: Statsd, work: str, *options: str, isolate: bool = False, count: int = 1
) -> str:
    """Return a watcher that works, one beside it, and the plugin without limits but the options."""
    usual = (
        *("use = resource_watcher", "watcher = Tried", "host = 127.0.0.1"),
        *(f"port = {server.port}", f"isolate = {isolate}", "loop_rate = 0.25", "max_count = 2"),
        *("max_cpu = none", "max_mem = none", "health_threshold = none"),
    )
    lines = dict(one.split(" = ", 1) for one in (*usual, *options))
    return (
        f"[watcher:Tried]\ncmd = {USING} {work}\nnumprocesses = {count}\ngraceful_timeout = 2\n"
        f"[watcher:beside]\ncmd = {USING} busy\n"
        "[plugin:limits]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
    )


def announced(ear: Ear) -> dict[str, object]:
    """Return what the first event about a limit says."""
    body = ear.wait_for("resource_limit", "tried")[0].body
    return {key: body[key] for key in ("limit", "allowed", "unit", "action")}


@pytest.mark.parametrize("isolate", [True, False], ids=["process", "thread"])
@pytest.mark.parametrize(
    ("work", "options", "limit"),
    [
        # Where many others work, a busy process gets some percent of a processor, by turns.
        ("busy", ["max_cpu = 1", "loop_rate = 1"], "over_cpu"),
        ("idle", ["min_cpu = 0"], "under_cpu"),
        ("grow 80", ["max_mem = 60M"], "over_memory"),
        ("grow 80", ["max_mem = 0.01%"], "over_memory"),
        ("idle", ["min_mem = 1G"], "under_memory"),
        ("busy", ["health_threshold = 0.5", "loop_rate = 1"], "over_health"),
    ],
)
def test_a_watcher_that_breaks_a_limit_is_restarted(
    start: Start, server: Statsd, work: str, options: list[str], limit: str, isolate: bool
) -> None:
    daemon = start(sections(server, work, *options, isolate=isolate))
    beside = daemon.until_active("beside")
    (before,) = daemon.until_active("tried")
    until(lambda: before not in daemon.pids("tried") and len(daemon.pids("tried")) == 1)
    assert daemon.pids("beside") == beside
    until(lambda: server.has(COUNTED + "restarting:1\\|c"))
    broken = sum(bool(re.fullmatch(COUNTED + limit + r":1\|c", one)) for one in server.heard)
    assert broken >= 3, server.heard


def test_the_one_process_is_replaced_and_the_event_tells_it(
    start: Start, listen: Listen, server: Statsd, tmp_path: Path
) -> None:
    work = f"once {tmp_path}/first grow 80"
    text = sections(server, work, "max_mem = 60M", "action = replace", count=3)
    daemon = start(text.replace("[watcher:Tried]", "[watcher:Tried]\nautostart = no"))
    ear = listen(daemon)
    daemon.ok("start", name="tried")
    before = set(daemon.until_active("tried"))
    assert announced(ear) == {
        "limit": "over_memory",
        "allowed": 60 * 1024**2,
        "unit": "bytes",
        "action": "replace",
    }
    assert daemon.said("allowed are 60M; replace follows")
    (told,) = ear.wait_for("resource_limit", "tried")
    assert told.body["value"] > 60 * 1024**2
    assert told.body["process_id"] in (1, 2, 3)
    (gone,) = ear.wait_for("reap", "tried")
    assert gone.pid == told.pid
    until(lambda: len(daemon.pids("tried")) == 3)
    assert before - set(daemon.pids("tried")) == {gone.pid}
    assert daemon.status("tried")["status"] == "active"


def test_all_of_a_watchers_processes_may_be_measured_together(
    start: Start, listen: Listen, server: Statsd
) -> None:
    options = ["max_mem = 150M", "measure = total", "action = warn"]
    daemon = start(sections(server, "grow 60", *options, count=3))
    before = daemon.until_active("tried", 3)
    ear = listen(daemon)
    assert announced(ear)["action"] == "warn"
    ear.wait_for("resource_limit", "tried", count=2)
    assert daemon.pids("tried") == before


@pytest.mark.parametrize("word", ["", "parent "], ids=["child", "grandchild"])
def test_what_children_use_may_count(
    start: Start, listen: Listen, server: Statsd, word: str
) -> None:
    work = f"parent {word}grow 80"
    options = ["max_mem = 70M", "include_children = yes", "action = warn"]
    daemon = start(sections(server, work, *options))
    ear = listen(daemon)
    assert announced(ear)["limit"] == "over_memory"


def test_a_child_gets_the_signal_and_nobody_else(
    start: Start, listen: Listen, server: Statsd
) -> None:
    options = ["max_mem = 70M", "process_children = yes", "child_signal = KILL"]
    daemon = start(sections(server, "parent grow 80", *options))
    (parent,) = daemon.until_active("tried")
    ear = listen(daemon)
    told = ear.wait_for("resource_limit", "tried")[0]
    assert (told.pid, told.body["action"]) == (parent, "signal")
    until(lambda: not psutil.pid_exists(told.body["child_pid"]))
    assert daemon.pids("tried") == [parent]
    assert ear.of("reap", "tried") == []


def test_a_watcher_that_keeps_the_limits_or_is_down_is_left_alone(
    start: Start, listen: Listen, server: Statsd
) -> None:
    options = ["max_mem = 1G", "max_cpu = 5", "min_mem = 1K", "watcher = tr*, beside"]
    daemon = start(
        sections(server, "idle", *options[:3]).replace("= Tried", f"= {options[3][10:]}")
    )
    before = daemon.until_active("tried")
    ear = listen(daemon)
    # The one beside breaks a limit: so there was time for all.
    ear.wait_for("resource_limit", "beside", limit=60)
    assert daemon.pids("tried") == before
    daemon.ok("stop", name="tried", waiting=True)
    ear.forget()
    ear.wait_for("resource_limit", "beside")
    assert ear.kinds("tried") == []
    assert daemon.status("tried")["status"] == "stopped"


def test_trouble_is_told_once_and_in_a_sentence(start: Start, server: Statsd) -> None:
    daemon = start(sections(server, "idle", "watcher = nobody"))
    until(lambda: server.has(r"circus\.app\.watcher\._resource_watcher\.nobody\.error:1\|c"))
    until(lambda: sum("nobody.error" in one for one in _heard(server)) >= 3)
    assert _complaints(daemon) == 1


def _heard(server: Statsd) -> list[str]:
    server.has("")
    return server.heard


def _complaints(daemon: Daemon) -> int:
    return len(re.findall(r"resource_watcher: .*nobody", daemon.text()))
