"""The Tab key in bash, zsh and fish, with the script that `circusctl completion` prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.live.daemon import Daemon
from tests.programs import need
from tests.terminal.terminal import Terminal

PROMPT = "$ "
FISH = (
    "set -g fish_greeting; set -g fish_autosuggestion_enabled 0; "
    "function fish_prompt; echo -n '$ '; end; circusctl completion fish | source"
)
STARTS = {
    "bash": ("bash", "--noprofile", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-C", FISH),
}
SOURCE = {
    "bash": "source <(circusctl completion bash)",
    "zsh": "source <(circusctl completion zsh)",
}
SOON = 4.0
"""Seconds in which Tab has to be done where nobody answers, on a machine that is busy with tests;
on one that is not, it takes a sixth of a second."""

Shell = Callable[[str], Terminal]


@pytest.fixture(scope="module", params=list(STARTS))
def shell(
    request: pytest.FixtureRequest, daemon: Daemon, surroundings: dict[str, str]
) -> Iterator[Terminal]:
    """Return a terminal with a shell that has learned to complete circusctl."""
    name = request.param
    need(name)
    with Terminal(STARTS[name], {**surroundings, "CIRCUSCTL_ENDPOINT": daemon.endpoint}) as one:
        one.wait_for_last(PROMPT.rstrip())
        if name in SOURCE:
            one.enter(f"{SOURCE[name]}; echo learned")
            one.wait_for_line("learned")
        yield one


@pytest.fixture
def line(shell: Terminal) -> Terminal:
    """Return the shell with an empty line on an empty screen."""
    if shell.lines()[-1] != PROMPT.rstrip():
        shell.press("C-c")
        shell.wait_for_last(PROMPT.rstrip())
    shell.enter("clear; echo clean")
    shell.wait_for(f"clean\n{PROMPT.rstrip()}")
    shell.press("C-l")
    shell.wait_gone("clean")
    return shell


def is_typed(terminal: Terminal, text: str) -> None:
    """Wait until the line that is being typed is this one."""
    terminal.wait_for_line(f"{PROMPT}{text}")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("circusctl numw", "circusctl numwatchers"),
        ("circusctl --js", "circusctl --json"),
        ("circusctl --json numproc", "circusctl --json numprocesses"),
        ("circusctl stop we", "circusctl stop web"),
        ("circusctl stop web d", "circusctl stop web db"),
        ("circusctl stop api", "circusctl stop api:v1"),
        ("circusctl stop api:", "circusctl stop api:v1"),
        ("circusctl stop back", r"circusctl stop back\ office"),
        (r"circusctl stop back\ o", r"circusctl stop back\ office"),
        ("circusctl stop 'back o", "circusctl stop 'back office'"),
        ('circusctl stop "bac', 'circusctl stop "back office"'),
        (r"circusctl stop back\ office we", r"circusctl stop back\ office web"),
        ("circusctl stop --wai", "circusctl stop --waiting"),
        ("circusctl stop --match gl", "circusctl stop --match glob"),
        ("circusctl stop --match=gl", "circusctl stop --match=glob"),
        ("circusctl get web graceful", "circusctl get web graceful_timeout"),
        ("circusctl signal web HU", "circusctl signal web HUP"),
        ("circusctl help resta", "circusctl help restart"),
        ("circusctl completion z", "circusctl completion zsh"),
        ("cvec_circusctl numproc", "cvec_circusctl numprocesses"),
        ("true; circusctl stop we", "true; circusctl stop web"),
        ("A=1 circusctl stop we", "A=1 circusctl stop web"),
    ],
)
def test_a_word_is_completed(line: Terminal, typed: str, completed: str) -> None:
    line.write(typed)
    line.press("Tab")
    line.write("@")
    is_typed(line, f"{completed} @")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("circusctl add new sleep --option numproc", "numprocesses="),
        ("circusctl listen watcher.d", "watcher.db."),
    ],
)
def test_no_blank_follows_what_is_not_finished(line: Terminal, typed: str, completed: str) -> None:
    line.write(typed)
    line.press("Tab")
    line.write("3")
    head = typed.rpartition(" ")[0]
    is_typed(line, f"{head} {completed}3")


def test_pids_are_those_of_the_daemon(line: Terminal, daemon: Daemon) -> None:
    (pid,) = daemon.pids("db")
    line.write("circusctl kill db ")
    line.press("Tab")
    is_typed(line, f"circusctl kill db {pid}")


def test_several_candidates_are_listed(line: Terminal) -> None:
    line.write("circusctl sta")
    line.press("Tab", "Tab")
    for name in ("start", "stats", "status"):
        line.wait_for(name)
    line.write("@")  # comes after both, so that the next test does not interrupt the second
    line.wait_for("@")


def test_the_word_before_the_cursor_is_completed(line: Terminal) -> None:
    line.write("circusctl stop we --waiting")
    line.press(*["Left"] * len(" --waiting"), "Tab")
    line.write("@")
    line.wait_for("circusctl stop web")
    # Whether a blank is put before the one that is there is each shell's own taste.
    assert line.lines()[-1].replace(" ", "") == "$circusctlstopweb@--waiting"


def test_what_was_completed_runs(line: Terminal) -> None:
    line.write("circusctl numpr")
    line.press("Tab")
    line.write("we")
    line.press("Tab", "Enter")
    line.wait_for(f"circusctl numprocesses web\n2\n{PROMPT.rstrip()}")


def test_the_endpoint_of_the_line_is_asked_and_nobody_there_costs_no_time(
    line: Terminal,
) -> None:
    nobody = "circusctl --endpoint ipc:///no/such/daemon"
    begun = time.monotonic()
    line.write(f"{nobody} stop we")
    line.press("Tab")
    line.write("@")
    line.wait_for("stop we@", SOON)
    line.press("C-u")
    line.write("circusctl --endpoint tcp://127.0.0.1:1 numw")
    line.press("Tab")
    line.write("@")
    line.wait_for("numwatchers @", SOON)
    assert time.monotonic() - begun < 2 * SOON
