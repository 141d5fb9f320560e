"""The same ``set`` has the same events and the same lines in the audit, whoever asks."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.httpd.consoles import ConsoleProcess
from tests.keeper.kept import Kept
from tests.live.asking_alike import OPTIONS
from tests.live.conftest import accounted
from tests.live.daemon import Daemon, until

pytestmark = pytest.mark.live

BODY = """
[watcher:web]
cmd = sleep 1000
ready = spawned
hooks.before_signal = tests.live.asking_alike.set_options
[plugin:inside]
use = tests.live.asking_alike.Inside
isolate = no
[plugin:outside]
use = tests.live.asking_alike.Outside
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Kept]:
    """Return a daemon under a keeper that all askers share."""
    with accounted() as daemons:
        kept = Kept(BODY)
        daemons.append(kept)
        kept.start().until_active("web", 1)
        for name in ("inside", "outside"):
            until(lambda name=name: kept.control("plugins").stdout.count(name) > 0)  # type: ignore[misc]
        kept.until_active("plugin:outside", 1)
        yield kept


def by_request(daemon: Daemon) -> None:
    for key, value in OPTIONS.items():
        daemon.ok("set", name="web", options={key: value})


def by_circusctl(daemon: Daemon) -> None:
    for key, value in OPTIONS.items():
        assert daemon.control("set", "web", key, str(value)).returncode == 0


def by_hook(daemon: Daemon) -> None:
    daemon.ok("signal", name="web", signum="cont")


def by_thread(daemon: Daemon) -> None:
    daemon.ok("announce", name="web", event="inside")


def by_plugin(daemon: Daemon) -> None:
    daemon.ok("announce", name="web", event="outside")


def by_console(daemon: Daemon) -> None:
    console = ConsoleProcess(daemon.endpoint).start()
    try:
        person = console.signed_in()
        for key, value in OPTIONS.items():
            person.ok("set", name="web", options={key: value})
    finally:
        console.stop()
        shutil.rmtree(console.folder, ignore_errors=True)


ASKERS = [by_request, by_circusctl, by_hook, by_thread, by_plugin, by_console]


def what_follows(daemon: Daemon, ask: Callable[[Daemon], None]) -> list[tuple[str, str]]:
    """Return the events about the watcher that follow, with what the audit names."""
    with daemon.listen("watcher.web.updated", "audit.web.set") as ear:
        ask(daemon)
        ear.wait_for("updated", "web", count=len(OPTIONS))
        ear.wait_for("set", "audit.web", count=len(OPTIONS))
        updated, audited = ear.of("updated", "web"), ear.of("set", "audit.web")
    assert {event.body["outcome"] for event in audited} == {"ok"}
    return [
        *((event.topic, event.body["option"]) for event in updated),
        *((event.topic, event.body["properties"]["options"]) for event in audited),
    ]


@pytest.mark.parametrize("ask", ASKERS)
def test_it_is_told_and_audited_alike(daemon: Kept, ask: Callable[[Daemon], None]) -> None:
    assert what_follows(daemon, ask) == what_follows(daemon, by_request)


def test_a_takeover_changes_nothing_of_it(daemon: Kept) -> None:
    expected = what_follows(daemon, by_request)
    daemon.kill_brain()
    assert what_follows(daemon, by_request) == expected


def test_a_unix_signal_reloads_as_the_command_does(daemon: Kept) -> None:
    def follows(ask: Callable[[], object]) -> list[str]:
        before = daemon.pids("web")
        with daemon.listen("watcher.web", "audit") as ear:
            ask()
            ear.wait_for("spawn", "web")
            ear.wait_for("reap", "web")
            until(lambda: daemon.pids("web") not in (before, []))
            return sorted(event.topic for event in ear.of("spawn", "web") + ear.of("reap", "web"))

    by_command = follows(lambda: daemon.ok("reload", waiting=True))
    assert follows(lambda: os.kill(daemon.process.pid, signal.SIGHUP)) == by_command
