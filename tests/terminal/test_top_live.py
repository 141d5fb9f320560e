"""circus-top and a real daemon: its numbers, its restart, its refusals, and acts upon it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import accounted
from tests.live.daemon import BIN, Daemon, until
from tests.terminal.conftest import Open
from tests.terminal.terminal import Terminal

BUSY = "while :; do :; done"
WATCHERS = f"""
[socket:door]
host = 127.0.0.1
port = 0

[watcher:Some Web.app]
cmd = sleep 300
numprocesses = 3

[watcher:busy]
cmd = /bin/sh -c '{BUSY}'

[watcher:off]
cmd = sleep 301
autostart = False
"""
OTHER_USER = 20009

Make = Callable[..., Daemon]


@pytest.fixture
def make() -> Iterator[Make]:
    """Start a daemon that publishes statistics, unless it is told otherwise."""
    with accounted() as daemons:

        def make(*, publishes: bool = True, tcp: bool = False, **environment: str) -> Daemon:
            daemon = Daemon(WATCHERS, tcp=tcp)
            if publishes:
                daemon.circus = f"stats_endpoint = {stats_of(daemon)}\n"
                daemon.write(WATCHERS)
            daemons.append(daemon)
            daemon.start(**environment)
            daemon.until_active("some web.app", 3)
            return daemon

        yield make


def stats_of(daemon: Daemon) -> str:
    """Return where a daemon publishes its statistics."""
    return f"ipc://{daemon.folder}/doors/stats"


def top(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    """Run circus-top to its end."""
    return subprocess.run(
        [BIN / "circus-top", "--control", daemon.endpoint, "--timeout", "20", *words],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def begin(open_terminal: Open, daemon: Daemon, *words: str, **how: Any) -> Terminal:
    """Start circus-top in a terminal."""
    terminal = open_terminal(
        *("circus-top", "--control", daemon.endpoint, "--timeout", "20", "-d", "0.3", *words),
        **{"columns": 120, "rows": 40, **how},
    )
    terminal.wait_for("Some Web.app")
    return terminal


def row(terminal: Terminal, *begin: str) -> list[str]:
    """Return the words of the line that begins so, without the tree; nothing where none does."""
    for line in terminal.lines():
        words = line.lstrip("▾▸├└─ ").split()
        if words[: len(begin)] == list(begin):
            return words
    return []


def test_the_numbers_are_those_of_the_processes(make: Make) -> None:
    daemon = make()
    said: dict[str, Any] = {}

    def has_run() -> bool:
        said.update(json.loads(top(daemon, "--once", "--json").stdout))
        return bool(watcher("busy")["cpu"])

    def watcher(name: str) -> dict[str, Any]:
        return next(one for one in said["watchers"] if one["name"] == name)

    until(has_run)
    web, off = watcher("Some Web.app"), watcher("off")
    assert [one["pid"] for one in web["processes"]] == daemon.pids("some web.app")
    assert [one["wid"] for one in web["processes"]] == [1, 2, 3]
    assert (web["state"], web["running"], web["wanted"]) == ("active", 3, 3)
    assert (off["state"], off["processes"]) == ("stopped", [])
    assert 5 < watcher("busy")["cpu"] < 110
    roles = {one["name"]: one["pid"] for one in watcher("circus")["processes"]}
    assert roles["circusd"] == daemon.process.pid
    assert "circusd-stats" in roles
    assert not [one for one in said["watchers"] if one["name"] == "circusd-stats"]
    assert [one["address"].partition(":")[0] for one in said["sockets"]] == ["127.0.0.1"]


def test_the_console_sees_what_happens_and_outlives_the_daemon(
    make: Make, open_terminal: Open
) -> None:
    daemon = make()
    console = begin(open_terminal, daemon)
    console.wait(lambda: row(console, "busy")[1:3] == ["root", "active"], "busy is active")
    console.wait_for("stopped")
    (pid,) = daemon.pids("busy")
    console.wait(lambda: row(console, "1", "sh", str(pid)) != [], "its process")
    os.kill(pid, 9)
    console.wait(lambda: not row(console, "1", "sh", str(pid)), "its process has gone")
    daemon.ok("incr", name="some web.app", nb=2)
    console.wait(lambda: row(console, "5", "sleep") != [], "a fifth process")
    assert daemon.stop() == 0
    console.wait_for(f"no answer from {stats_of(daemon)}, trying again (")
    daemon.start()
    console.wait_gone("no answer from", 60)
    console.wait(lambda: not row(console, "5", "sleep"), "the processes of the new daemon")
    console.press("q")
    assert console.exit_code() == 0


def test_acting_on_it(make: Make, open_terminal: Open) -> None:
    daemon = make()
    console = begin(open_terminal, daemon, "--interactive")
    console.write("/web.app")
    console.press("Enter", "Down", "x")
    console.wait_for("really stop the watcher Some Web.app? y/n")
    console.press("y")
    console.wait_for("stop the watcher Some Web.app: done")
    console.wait(lambda: "stopped" in row(console, "Some", "Web.app"), "stopped")
    assert daemon.status("some web.app")["status"] == "stopped"
    console.press("s", "y")
    daemon.until_active("some web.app", 3)
    console.wait(lambda: row(console, "3", "sleep") != [], "its processes")
    console.press("+", "y")
    console.wait_for("add a process to Some Web.app: done, 4 are wanted now")
    pids = daemon.until_active("some web.app", 4)
    console.press("N", "Down")
    console.wait(lambda: row(console, "4", "sleep") != [], "a fourth process")
    console.press("k", "C-u")
    console.write("kill")
    console.press("Enter")
    console.wait_for(f"really send SIGKILL to process {pids[0]} of Some Web.app? y/n")
    console.press("y")
    until(lambda: pids[0] not in daemon.pids("some web.app"))


def steps(terminal: Terminal, begin: str, end: str) -> int:
    """Return how many sorted columns lie between two titles: those that show no drawing."""
    titles = terminal.lines()[4].replace("CPU HISTORY", "").split()
    return titles.index(end) - titles.index(begin)


PLUGIN = """
from cvec_circus_core.extend.hookspecs import hookimpl

class Requests:
    @hookimpl
    def circus_extra_stats(self, processes):
        return {one.pid: {"requests": 1000 + one.wid} for one in processes}
"""


def test_numbers_of_a_plugin_have_a_column(make: Make, open_terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cvec_circus.kernel]\nmine = counting:Requests\n")
    console = begin(open_terminal, make(PYTHONPATH=str(tmp_path)))
    console.wait_for("REQUESTS")
    console.wait(lambda: "1003" in row(console, "3", "sleep"), "the number of the third")
    console.write("/web.app")
    console.press("Enter")
    console.press(*[">"] * steps(console, "CPU%↓", "REQUESTS"))
    console.wait_for("REQUESTS↓")
    pids = [line.split()[1] for line in console.lines() if "sleep" in line]
    assert pids == ["3", "2", "1"]


@pytest.mark.parametrize("tcp", [False, True])
def test_a_daemon_that_publishes_nothing(make: Make, tcp: bool) -> None:
    daemon = make(publishes=False, tcp=tcp)
    done = top(daemon, "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"circus-top: the daemon at {daemon.endpoint} publishes no statistics: set "
        "stats_endpoint in its [circus] section and start it anew\n"
    )


def test_no_daemon(make: Make) -> None:
    daemon = make()
    assert daemon.stop() == 0
    done = top(daemon, "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"circus-top: nothing listens at {daemon.endpoint}: is the daemon running, and is this "
        "its endpoint?\n"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_somebody_who_may_not_look(make: Make) -> None:
    daemon = make()
    os.chmod(daemon.folder, 0o755)
    for path in (daemon.endpoint, stats_of(daemon)):
        file = path.removeprefix("ipc://")
        until(lambda file=file: os.path.exists(file))
        os.chmod(file, 0o777)
    for words, said in (
        (("--control", daemon.endpoint), r"circus-top: refused by ipc://\S+: .*\n"),
        (
            ("--endpoint", stats_of(daemon)),
            r"circus-top: \S+ lets this user hear no statistics.*\n",
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", AS_SOMEBODY_ELSE, *words, "--once", "--timeout", "3"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "CIRCUSCTL_ENDPOINT": "ipc:///no/such/daemon"},
        )
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        assert re.fullmatch(said, done.stderr), done.stderr


# Everything is imported before, since another user may not be able to read Python's own files.
AS_SOMEBODY_ELSE = f"""
import encodings.idna, json, os, socket, sys
from cvec_circus_cli import circus_top, output
from cvec_circus_cli.top import feed, plain, run, sources, terminal
from cvec_circus_core import api
circus_top._parser()
for name in api.__all__: getattr(api, name)
os.setgroups([]); os.setgid({OTHER_USER}); os.setuid({OTHER_USER})
sys.exit(circus_top.main())
"""
