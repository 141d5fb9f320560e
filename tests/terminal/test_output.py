"""What circusctl prints where somebody looks on, and what in a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.live.daemon import Daemon
from tests.programs import wait_until
from tests.terminal.conftest import Open
from tests.terminal.terminal import Terminal

GREEN = "\x1b[32m"
RED = "\x1b[31m"
PLAIN = "api:v1: active\nback office: active\ndb: active\noff: stopped\nslow: active\nweb: active\n"


@pytest.fixture
def bash(open_terminal: Open, daemon: Daemon) -> Terminal:
    """Return a terminal with a plain shell, whose circusctl knows the daemon."""
    return begin(open_terminal, daemon)


def begin(open_terminal: Open, daemon: Daemon, columns: int = 100) -> Terminal:
    """Start a plain shell."""
    terminal = open_terminal(
        *("bash", "--noprofile", "--norc", "-i"),
        columns=columns,
        CIRCUSCTL_ENDPOINT=daemon.endpoint,
    )
    terminal.wait_for_last("$")
    return terminal


def test_a_terminal_gets_a_table_with_colours(bash: Terminal) -> None:
    bash.enter("circusctl status")
    bash.wait_for("LAST EXIT")
    bash.wait_for_last("$")
    said = bash.coloured_screen()
    assert re.search(rf"db +{re.escape(GREEN)}active", said)
    assert re.search(rf"off +{re.escape(RED)}stopped", said)


@pytest.mark.parametrize("way", ["NO_COLOR=1 circusctl status", "circusctl --no-color status"])
def test_a_table_without_colours(bash: Terminal, way: str) -> None:
    bash.enter(way)
    bash.wait_for("LAST EXIT")
    bash.wait_for_last("$")
    assert "\x1b[" not in bash.coloured_screen()
    assert re.search("db +active +1/1", bash.screen())


def test_a_pipe_gets_plain_lines(bash: Terminal) -> None:
    bash.enter("clear; circusctl status | cat")
    bash.wait_for(f"{PLAIN}$")
    assert "\x1b[" not in bash.coloured_screen()


def test_json_is_json_on_a_terminal_too(bash: Terminal) -> None:
    bash.enter("circusctl --json numprocesses web")
    bash.wait_for('"numprocesses": 2')
    assert "\x1b[" not in bash.coloured_screen()


@pytest.mark.parametrize("columns", [100, 24])
def test_waiting_shows_what_it_waits_for(open_terminal: Open, daemon: Daemon, columns: int) -> None:
    bash = begin(open_terminal, daemon, columns)
    bash.enter("circusctl stop slow --waiting")
    bash.wait_for("waiting for stop of")
    if columns == 100:
        bash.wait_for("waiting for stop of slow: 1 s, stopping")
    bash.wait_for("ok\n$")
    bash.wait_gone("waiting for")
    bash.enter("circusctl start slow --waiting; echo code $?")
    bash.wait_for("ok\ncode 0")


def test_a_waiting_that_is_interrupted(bash: Terminal, daemon: Daemon) -> None:
    bash.enter("circusctl stop slow --waiting; echo code $?")
    bash.wait_for("waiting for stop of slow")
    bash.press("C-c")
    # Bash gives up the rest of a line whose program died of the key; ours ends with its own code.
    bash.wait_for("interrupted")
    bash.enter("echo code $?")
    bash.wait_for("code 1")
    bash.enter("circusctl start slow --waiting")
    bash.wait_for_line("ok")
    daemon.until_active("slow", 1)


def test_listen_prints_events_until_it_is_interrupted(bash: Terminal, daemon: Daemon) -> None:
    bash.enter(f"circusctl listen {daemon.events} watcher.db. watcher.probe; echo code $?")
    bash.wait_for(f"listening at {daemon.events} for watcher.db., ")
    number = 0

    def heard() -> bool:
        nonlocal number
        number += 1
        daemon.ok("add", name=f"probe{number}", cmd="true")
        daemon.ok("rm", name=f"probe{number}", waiting=True)
        return any(line.startswith("watcher.probe") for line in bash.lines())

    wait_until(heard)
    daemon.ok("restart", name="db", waiting=True)
    bash.wait_for("watcher.db.spawn: {")
    assert '"process_pid": ' in bash.screen()
    bash.press("C-c")
    bash.wait_for("code 0\n$")
    assert "Traceback" not in bash.screen()


PAINT = r"printf '\033[31mred\033]0;title\007 \302\233 back\rover\n'; exec sleep 1000"


@pytest.fixture
def painter(daemon: Daemon, bash: Terminal) -> Iterator[Terminal]:
    """Have a watcher whose output paints, and let the shell know it."""
    daemon.ok("add", name="painter", cmd=PAINT, options={"shell": True}, start=True, waiting=True)
    wait_until(lambda: bool(daemon.ok("tail", name="painter")["output"][0]["data"]))
    yield bash
    daemon.ok("rm", name="painter", waiting=True)


@pytest.mark.parametrize("follow", ["", "--follow "])
def test_escapes_of_others_are_shown_and_not_obeyed(painter: Terminal, follow: str) -> None:
    painter.enter(f"clear; circusctl tail {follow}painter")
    painter.wait_for(r"\x1b[31mred\x1b]0;title\x07 \x9b back\rover")
    assert RED not in painter.coloured_screen()
    if follow:
        painter.press("C-c")


def test_they_are_obeyed_where_that_is_wanted(painter: Terminal) -> None:
    painter.enter("clear; circusctl --raw tail painter")
    painter.wait_for("over")
    assert "x1b" not in painter.screen()
    assert RED in painter.coloured_screen()


def test_a_pipe_gets_what_was_written(painter: Terminal) -> None:
    painter.enter("clear; circusctl tail painter | od -c | head -1")
    painter.wait_for("033   [   3   1   m")
