"""Plugins in the shapes that public ones have, in a process beside the daemon."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.compat.conftest import Library
from tests.programs import wait_until

pytestmark = pytest.mark.live

HEAD = """
import os, time
from datetime import timedelta
from circus.plugins import CircusPlugin

def note(*words):
    with open(os.path.join(os.path.dirname(__file__), "notes"), "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")
"""

SECTIONS = """
[watcher:web]
cmd = sleep 100
graceful_timeout = 1
[watcher:short]
cmd = sleep 0.5
[plugin:mine]
use = my_plugin.Mine
copy_env = True
greeting = hello
{options}
[env:*]
PYTHONPATH = {folder}
"""

SHAPES = {
    "initialize is overridden": (
        """
        class Mine(CircusPlugin):
            name = "mine"
            def initialize(self):
                note("initialize", self.config["greeting"])
                return super().initialize()
            def handle_init(self):
                note("init")
            def handle_recv(self, data):
                pass
        """,
        ["init", "initialize hello"],
    ),
    "the loop takes callbacks and timeouts": (
        """
        class Mine(CircusPlugin):
            name = "mine"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.loop.add_callback(note, "a callback of the constructor")
            def handle_init(self):
                self.loop.add_callback(note, "a callback")
                self.loop.add_timeout(timedelta(seconds=0.3), lambda: note("after a while"))
                self.loop.add_timeout(time.time() + 0.6, lambda: note("at a moment"))
                self.loop.call_later(0.9, note, "later")
                taken_back = self.loop.add_timeout(timedelta(seconds=0.1), lambda: note("never"))
                self.loop.remove_timeout(taken_back)
            def handle_recv(self, data):
                pass
        """,
        [
            "a callback of the constructor",
            *("a callback", "after a while", "at a moment", "later"),
        ],
    ),
    "events and calls": (
        """
        class Mine(CircusPlugin):
            name = "mine"
            def handle_init(self):
                self.seen = set()
            def handle_recv(self, data):
                watcher, event, message = self.split_data(data)
                if watcher == "short" and event not in self.seen and event in ("reap", "spawn"):
                    self.seen.add(event)
                    pid = self.load_message(message)["process_pid"]
                    note(watcher, pid > 0)
                    if len(self.seen) == 2:
                        note(self.call("status", name="web")["status"])
        """,
        ["short True", "short True", "active"],
    ),
    "an observer of one's own": (
        """
        from circus.plugins.statsd import BaseObserver
        class Mine(BaseObserver):
            name = "mine"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.own = config.get("greeting")
                self.looks = 0
            def look_after(self):
                self.statsd.increment("a")
                self.statsd.decrement("b")
                self.statsd.timed("c", 3)
                self.statsd.gauge("d", 4)
                self.looks += 1
                if self.looks == 2:
                    note("looked twice", self.own, self.loop_rate)
        """,
        ["looked twice hello 0.2"],
    ),
}


def lines(folder: Path) -> list[str]:
    """Return what the plugin has noted."""
    file = folder / "notes"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plugin(library: Library, folder: Path, shape: str) -> None:
    text, notes = SHAPES[shape]
    (folder / "my_plugin.py").write_text(HEAD + textwrap.dedent(text))
    sections = SECTIONS.format(folder=folder, options="loop_rate = 0.2")
    with library.daemon(folder, sections) as log:
        try:
            wait_until(lambda: len(lines(folder)) >= len(notes))
        except AssertionError:
            raise AssertionError(log.read_text() + str(lines(folder))) from None
    assert lines(folder)[: len(notes)] == notes


STUBBORN = {
    "stop raises": "def stop(self): raise RuntimeError('no')",
    "stop hangs": "def stop(self): time.sleep(1000)",
    "stop does nothing": "def stop(self): pass",
    "handle_stop raises": "def handle_stop(self): raise RuntimeError('no')",
    "handle_stop hangs": "def handle_stop(self): time.sleep(1000)",
    "initialize raises": "def initialize(self): note('there'); raise RuntimeError('no')",
}


GRACE = 2.0
"""Seconds that a plugin has to stop. The others, which are asleep, end at once."""
MARGIN, TRIES = 1.0, 4
"""A busy machine makes one end longer, and not each of several."""


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("shape", STUBBORN)
def test_a_quit_waits_for_no_stubborn_plugin(
    compat: Library, folder: Path, shape: str, isolate: bool
) -> None:
    text = f"""
class Mine(CircusPlugin):
    name = "mine"
    {STUBBORN[shape]}
    def handle_init(self):
        note("there")
    def handle_recv(self, data):
        pass
"""
    (folder / "my_plugin.py").write_text(HEAD + text)
    sections = SECTIONS.format(folder=folder, options=f"isolate = {isolate}")
    inside = Library(
        compat.name, compat.python, {"PYTHONPATH": f"{folder}:{compat.environment['PYTHONPATH']}"}
    )
    ends = []
    while len(ends) < TRIES:
        (folder / "log.json").write_text(json.dumps(with_times(folder / "times")))
        with inside.daemon(folder, sections, f"loggerconfig = {folder}/log.json\n") as log:
            wait_until(lambda: lines(folder) != [])
        ends.append(seconds_to_end((folder / "times").read_text() + log.read_text()))
        if ends[-1] < GRACE + MARGIN:
            return
        for name in ("notes", "times"):
            (folder / name).unlink()
    raise AssertionError(f"the end took {ends} s")


def with_times(file: Path) -> dict[str, Any]:
    """Return a configuration of logging that tells the moment of each record."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"times": {"format": "%(created).3f %(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": str(file), "formatter": "times"}
        },
        "root": {"level": "INFO", "handlers": ["file"]},
    }


def seconds_to_end(log: str) -> float:
    """Return how long a daemon has taken to end, by its own clock."""
    pairs = (line.partition(" ") for line in log.splitlines())
    moments = {message: moment for moment, _, message in pairs}
    began_at = moments["SIGTERM: stopping everything"]
    return float(moments["Everything is stopped, bye"]) - float(began_at)
