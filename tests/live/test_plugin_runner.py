"""circus-plugin, run by hand beside a daemon of ours."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.test_plugins import OURS, SEEDS
from tests.programs import Environment

HERE = Environment(Path(sys.prefix))
WATCHERS = "[watcher:web]\ncmd = sleep 1000\n"
Write = Callable[[str], Path]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Write the printed example into a folder, and return the folder."""

    def write(source: str) -> Path:
        (tmp_path / "myproject").mkdir()
        (tmp_path / "myproject" / "__init__.py").touch()
        (tmp_path / "myproject" / "plugins.py").write_text(source, encoding="utf-8")
        return tmp_path

    return write


def at(daemon: Daemon) -> list[str]:
    """Return the words that lead to a daemon."""
    return ["--endpoint", daemon.endpoint, "--pubsub", daemon.events]


def announce_until(daemon: Daemon, fact: Callable[[], bool]) -> None:
    """Let something happen until it has been heard."""

    def heard() -> bool:
        daemon.ok("announce", name="web", event="hello")
        return fact()

    until(heard)


@pytest.mark.parametrize("source", [SEEDS, OURS], ids=["as printed", "ours"])
@pytest.mark.parametrize("program", ["circus-plugin", "cvec_circus-plugin"])
def test_the_printed_example_and_its_log(
    start: Start, project: Write, source: str, program: str
) -> None:
    daemon, folder = start(WATCHERS), project(source)
    log, events = folder / "log", folder / "x y:z.events"
    words = [*at(daemon), "myproject.plugins.Logger", "-o", f"filename={events}"]
    with HERE.running(program, *words, log=log, cwd=folder) as process:
        until(events.exists)
        # The file is written when the plugin closes it.
        announce_until(daemon, lambda: "Starting" in log.read_text())
        for _ in range(50):
            daemon.ok("announce", name="web", event="hello", body={"filling": "x" * 1000})
        until(lambda: events.stat().st_size > 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert log.read_text().splitlines() == [
        "[INFO] Loading the plugin...",
        f"[INFO] Endpoint: '{daemon.endpoint}'",
        f"[INFO] Pub/sub: '{daemon.events}'",
        "[INFO] Starting",
        "[INFO] Stopping",
    ]
    assert "watcher.web.hello::{" in events.read_text()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_options_in_the_older_form_and_every_way_to_end(
    start: Start, project: Write, signum: signal.Signals
) -> None:
    daemon, folder = start(WATCHERS), project(SEEDS)
    events = folder / "events"
    words = [*at(daemon), "--config", f"filename:{events}:::other:a:b", "--check-delay", "0.5"]
    with HERE.running(
        "circus-plugin", *words, "myproject.plugins.Logger", log=folder / "log", cwd=folder
    ) as process:
        until(events.exists)
        process.send_signal(signum)
        assert process.wait(10) == 0


def test_a_section_of_a_file_says_all(start: Start, project: Write) -> None:
    folder = project(OURS)
    section = f"[plugin:Logger]\nuse = myproject.plugins.Logger\nfilename = {folder}/events\n"
    daemon = start(WATCHERS)
    daemon.file.write_text(daemon.file.read_text() + section, encoding="utf-8")
    words = ["--config-file", str(daemon.file), "logger", "--log-output", str(folder / "out")]
    with HERE.running("circus-plugin", *words, log=folder / "log", cwd=folder) as process:
        until((folder / "events").exists)
        process.terminate()
        assert process.wait(10) == 0
    assert (folder / "log").read_text() == ""
    assert f"Endpoint: '{daemon.endpoint}'" in (folder / "out").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, r"usage: circus-plugin (?s:.*)"),
        (("--version",), 0, r"circus-plugin \S+"),
        (("nothing.like.This",), 1, r"circus-plugin: plugin \S+: there is no module nothing"),
        (("json.Decoder",), 1, r"circus-plugin: plugin \S+: module json has no class Decoder"),
        (("json.JSONDecoder",), 1, r"circus-plugin: plugin \S+: \S+ is not a CircusPlugin"),
        (("statsd_emiter",), 1, r"circus-plugin: no plugin is named .*; did you mean \S+\?"),
        (("-o", "port", "statsd_emitter"), 2, r"(?s).*-o takes KEY=VALUE, not 'port'"),
        (("--config", "port=1", "statsd_emitter"), 2, r"(?s).*--config takes key:value:::.*"),
        (("-o", "port=x", "statsd_emitter"), 1, r".*plugin statsd: port isn't an integer: 'x'"),
        (("-o", "active=no", "flapping"), 1, r"circus-plugin: plugin flapping is not active"),
        (("--config-file", "/no/such", "x"), 1, r"(?s)error: .*no such file.*"),
        (("--log-level", "loud", "flapping"), 2, r"(?s).*invalid choice: 'loud'.*"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(words: tuple[str, ...], code: int, said: str) -> None:
    done = HERE.run("circus-plugin", *words)
    told = [
        line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("[INFO] ")
    ]
    assert done.returncode == code, done.stderr
    assert re.fullmatch(said, "\n".join(told)), told


def test_the_list_tells_what_is_installed() -> None:
    done = HERE.run("circus-plugin", "--list")
    assert done.returncode == 0
    names = [line.partition("  ")[0] for line in done.stdout.splitlines()]
    assert {"flapping", "full_stats", "statsd_emitter"} <= set(names)
    assert all("cvec-circus" in line or "(" in line for line in done.stdout.splitlines())
