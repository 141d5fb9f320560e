"""Plugins live: the same tests for a process of their own and for a thread of the daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.live.conftest import accounted
from tests.live.daemon import ROOT, Daemon, until

pytestmark = pytest.mark.timeout(120)

WATCHERS = "[watcher:Some Web.app]\ncmd = sleep 1000\nnumprocesses = 2\n"
NASTY = 'a b "c" \'d\' %% $WID $(circus.wid) ((circus.wid)) ${HOME} é\\n :::x:y {"z": [1]} #;'
SEEDS = """
from circus.plugins import CircusPlugin


class Logger(CircusPlugin):

    name = 'logger'

    def __init__(self, filename, **kwargs):
        super(Logger, self).__init__(**kwargs)
        self.filename = filename
        self.file = None

    def handle_init(self):
        self.file = open(self.filename, 'a+')

    def handle_stop(self):
        self.file.close()

    def handle_recv(self, data):
        topic, msg = data
        self.file.write('%s::%s' % (topic, msg))
"""
OURS = SEEDS.replace("circus.plugins", "cvec_circus_core")


@pytest.fixture(params=["process", "thread"])
def isolate(request: pytest.FixtureRequest) -> bool:
    """Tell whether the plugin gets a process of its own."""
    return bool(request.param == "process")


class Hosted:
    """A daemon with one plugin in it, and what the plugin has written."""

    def __init__(self, daemon: Daemon, isolate: bool) -> None:
        self.daemon = daemon
        self.isolate = isolate
        self.diary = daemon.folder / "diary"

    def section(self, use: str, *options: str) -> str:
        """Return the section of the plugin."""
        lines = [f"use = {use}", f"isolate = {self.isolate}", *options]
        return "[plugin:tried]\n" + "\n".join(lines) + "\n"

    def start(self, use: str, *options: str) -> Hosted:
        """Start the daemon with a plugin of ours."""
        module = f"tests.live.sample_plugins.{use}"
        self.daemon.write(WATCHERS + self.section(module, f"diary = {self.diary}", *options))
        return self.launch()

    def launch(self) -> Hosted:
        """Start the daemon on the file as it is."""
        path = os.pathsep.join([str(self.daemon.folder), str(ROOT)])
        self.daemon.start(PYTHONPATH=path)
        self.daemon.until_active("Some Web.app")
        return self

    def written(self, what: str, **more: Any) -> list[dict[str, Any]]:
        """Return what the plugin has written of one kind."""
        text = self.diary.read_text(encoding="utf-8") if self.diary.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1:] == "\n"]
        return [
            one
            for one in lines
            if one["what"] == what and all(one.get(key) == value for key, value in more.items())
        ]

    def announce(self, event: str) -> None:
        """Let something happen."""
        self.daemon.ok("announce", name="some web.app", event=event)

    def until_it_hears(self) -> None:
        """Wait until events reach the plugin."""

        def hears() -> bool:
            self.announce("probe")
            return bool(self.written("event"))

        until(hears)


@pytest.fixture
def hosted(isolate: bool) -> Iterator[Hosted]:
    """Return a daemon for one plugin; at its end all has to be well."""
    with accounted() as daemons:
        daemon = Daemon("", circus="check_delay = 2.5\n")
        daemons.append(daemon)
        yield Hosted(daemon, isolate)


@pytest.fixture
def troubled(isolate: bool) -> Iterator[Hosted]:
    """Return a daemon for one plugin that may leave tracebacks in the log.

    It logs as much as daemons do; a line per event would be what is measured here.
    """
    daemon = Daemon("", "--log-level", "info")
    try:
        yield Hosted(daemon, isolate)
        assert daemon.stop() == 0
    finally:
        daemon.clean_up()


@pytest.mark.parametrize("use", ["Diary", "AsyncDiary"])
def test_a_plugin_hears_calls_casts_and_comes_to_its_end(hosted: Hosted, use: str) -> None:
    hosted.start(use)
    daemon = hosted.daemon
    until(lambda: bool(hosted.written("init") and hosted.written("tick")))
    (init,) = hosted.written("init")
    assert (init["check_delay"], init["endpoint"]) == (2.5, daemon.endpoint)
    assert init["numwatchers"] == 1 + hosted.isolate
    hosted.until_it_hears()
    hosted.announce("ask")
    until(lambda: bool(hosted.written("event", event="asked")))
    (answer,) = hosted.written("answer")
    assert answer["pids"] == daemon.pids("some web.app")
    events = hosted.written("event", watcher="some_web.app")
    assert all(event["plain"] and event["decoded"] for event in events)
    numbers = [event["seq"] for event in events]
    assert numbers == sorted(set(numbers))
    assert daemon.stop() == 0
    assert hosted.written("stop") == [{"what": "stop", "status": "ok"}]


def test_options_come_whatever_characters_they_hold(hosted: Hosted) -> None:
    hosted.start("Diary", f"text = {NASTY}", "active = True")
    until(lambda: bool(hosted.written("init")))
    (init,) = hosted.written("init")
    assert init["config"] == {"text": NASTY.replace("%%", "%%"), "active": "True"}


def test_a_plugin_is_let_go_and_comes_with_reloadconfig(hosted: Hosted) -> None:
    hosted.start("Diary")
    hosted.until_it_hears()
    body = hosted.daemon.file.read_text(encoding="utf-8")
    head, _, section = body.partition("[plugin:tried]")
    hosted.daemon.file.write_text(head, encoding="utf-8")
    hosted.daemon.ok("reloadconfig", waiting=True)
    until(lambda: len(hosted.written("stop")) == 1)
    assert hosted.daemon.ok("plugins")["running"][0]["name"] == "flapping"
    hosted.daemon.file.write_text(f"{head}[plugin:tried]{section}new = 1\n", encoding="utf-8")
    hosted.daemon.ok("reloadconfig", waiting=True)
    until(lambda: len(hosted.written("init")) == 2)
    assert hosted.written("init")[1]["config"] == {"new": "1"}
    names = {one["name"]: one["state"] for one in hosted.daemon.ok("plugins")["running"]}
    assert set(names) == {"flapping", "tried"}


def test_a_plugin_that_is_not_active_is_not_started(hosted: Hosted) -> None:
    hosted.start("Diary", "active = False")
    assert [one["name"] for one in hosted.daemon.ok("plugins")["running"]] == ["flapping"]
    assert hosted.daemon.ok("list")["watchers"] == ["Some Web.app"]


@pytest.mark.parametrize("source", [SEEDS, OURS], ids=["as printed", "ours"])
def test_the_printed_example_runs_letter_for_letter(hosted: Hosted, source: str) -> None:
    project = hosted.daemon.folder / "myproject"
    project.mkdir()
    (project / "__init__.py").touch()
    (project / "plugins.py").write_text(source, encoding="utf-8")
    log = hosted.daemon.folder / "circus.log"
    section = hosted.section("myproject.plugins.Logger", f"filename = {log}")
    hosted.daemon.write(WATCHERS + section)
    hosted.launch()
    until(log.exists)

    def hears() -> bool:
        # What it writes shows when its buffer is full.
        hosted.announce("hello")
        return bool(log.read_text(encoding="utf-8"))

    until(hears)
    assert hosted.daemon.stop() == 0
    assert 'watcher.some_web.app.hello::{"' in log.read_text(encoding="utf-8")


def test_a_handler_that_fails_costs_one_event(troubled: Hosted) -> None:
    troubled.start("Clumsy")
    troubled.until_it_hears()
    for number in range(50):
        troubled.announce(f"event{number}")
    until(lambda: bool(troubled.written("event", event="event49")))
    assert len(troubled.written("init")) == 1
    told = troubled.daemon.text().count("RuntimeError: clumsy")
    assert 1 <= told < 20
    assert troubled.daemon.said("failed in handle_recv")


def test_a_plugin_that_dies_is_started_again(troubled: Hosted) -> None:
    troubled.daemon.write(
        WATCHERS
        + troubled.section("tests.live.sample_plugins.Dying", f"diary = {troubled.diary}")
        + "flapping.active = False\n"
    )
    troubled.launch()
    until(lambda: len(troubled.written("init")) == 3)
    until(lambda: _state(troubled.daemon) in ("running", "active"))
    assert troubled.daemon.text().count("RuntimeError: dying") == 2


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ("tests.nothing.like.This", "there is no module tests.nothing"),
        ("tests.live.sample_plugins.That", "has no class That"),
        ("tests.live.sample_plugins.json", "is not a CircusPlugin"),
        ("tests.live.sample_plugins.Diary", "missing a required argument: 'diary'"),
    ],
)
def test_one_that_can_not_be_had_is_told_in_a_sentence(hosted: Hosted, use: str, why: str) -> None:
    hosted.daemon.write(WATCHERS + hosted.section(use))
    hosted.launch()
    until(lambda: hosted.daemon.said(why))
    assert hosted.daemon.status("some web.app")["status"] == "active"


def _state(daemon: Daemon) -> str:
    running = daemon.ok("plugins")["running"]
    return str(next(one["state"] for one in running if one["name"] == "tried"))


class Stopwatch:
    """Asks a daemon again and again, and remembers how long each answer took."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.quiet = self.p99(1.0)
        # Where more wants to run than there are processors, every hop of an answer waits its turn.
        crowded = os.getloadavg()[0] > (os.cpu_count() or 1)
        self.limit = 100.0 if crowded else max(10.0, 4 * self.quiet)

    def is_quick(self) -> bool:
        """Tell whether 99 of 100 answers came within 10 ms.

        On a machine that has other things to do, a daemon at rest takes its time, too; and there
        may be a better moment.
        """
        tried = []
        for _ in range(4):
            tried.append(self.p99(1.5))
            if tried[-1] < self.limit:
                print(f"p99 {tried[-1]:.1f} ms, at rest {self.quiet:.1f} ms")
                return True
        print(f"p99 {tried} ms, at rest {self.quiet:.1f} ms")
        return False

    def p99(self, seconds: float) -> float:
        """Return the 99th percentile of the answers within some seconds, in milliseconds."""
        asked = asking("times", self.daemon.endpoint, str(seconds))
        took = sorted(json.loads(asked.communicate(timeout=60)[0]))
        return float(took[len(took) * 99 // 100])


def asking(*words: str) -> subprocess.Popen[bytes]:
    """Run a process that asks; what this one does is not in its way."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.live.asking", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )


@pytest.mark.parametrize("use", ["Sleeping", "Spinning", "Flooding"])
def test_a_plugin_that_misbehaves_slows_nobody(troubled: Hosted, use: str) -> None:
    troubled.start(use, "graceful_timeout = 0.2")
    watch = Stopwatch(troubled.daemon)
    troubled.until_it_hears()
    assert watch.is_quick()
    assert troubled.daemon.status("some web.app")["running"] == 2


@contextmanager
def events(daemon: Daemon, each_second: int) -> Iterator[Callable[[], tuple[int, float]]]:
    """Let so many events happen each second meanwhile; yields what ends it, with their number."""
    sender = asking("events", daemon.endpoint, "Some Web.app", str(each_second))
    try:
        yield lambda: json.loads(sender.communicate(timeout=60)[0])
    finally:
        sender.kill()
        sender.wait()


def test_ten_thousand_events_a_second_go_through(troubled: Hosted) -> None:
    troubled.start("Counting")
    until(lambda: bool(troubled.written("count")))
    watch = Stopwatch(troubled.daemon)

    def heard() -> int:
        """Return how many events the plugin has heard, when no more come."""
        counts = [one["count"] for one in troubled.written("count")]
        until(lambda: len(troubled.written("count")) >= len(counts) + 3)
        *_, before, last = (int(one["count"]) for one in troubled.written("count"))
        return last if before == last else heard()

    # The first round also tells that the subscription is there. A machine that is busy with other
    # things may need a better moment: what comes too fast for a plugin is lost, by design.
    tried = []
    for _ in range(6):
        before = heard()
        with events(troubled.daemon, 10_000) as ended:
            p99 = watch.p99(1.5)
            sent, seconds = ended()
        share, rate = (heard() - before) / sent, sent / seconds
        tried.append(f"heard {share:.3f} of {rate:.0f} a second, p99 {p99:.1f} ms")
        if share > 0.99 and rate > 9_000 and p99 < watch.limit:
            break
    else:
        pytest.fail(f"lost, or late: {tried}, at rest {watch.quiet:.1f} ms")
    print(f"{tried[-1]}, at rest {watch.quiet:.1f} ms")
