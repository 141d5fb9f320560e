"""circusctl's own shell at a real keyboard: prompt, history, completion, and how it is left."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.live.conftest import accounted
from tests.live.daemon import Daemon
from tests.terminal.conftest import Open
from tests.terminal.terminal import Terminal

PROMPT = "(circusctl)"

Enter = Callable[..., Terminal]


@pytest.fixture
def shell(open_terminal: Open, daemon: Daemon) -> Terminal:
    """Return a terminal in which the shell has just begun."""
    return begin(open_terminal, daemon)


def begin(open_terminal: Open, daemon: Daemon, *options: str, **environment: str) -> Terminal:
    """Start the shell and wait until it asks for a line."""
    terminal = open_terminal("circusctl", "--endpoint", daemon.endpoint, *options, **environment)
    terminal.wait_for_last(PROMPT)
    return terminal


def test_it_begins_with_its_version_and_the_status(shell: Terminal) -> None:
    first, title, *rows, prompt = shell.lines()
    assert first == f"circusctl {version('cvec-circus')}"
    assert title.split("  ")[0] == "NAME"
    assert title.endswith("UPTIME  MEMORY  RESTARTS  LAST EXIT")
    names = [row[: title.index("STATE")].strip() for row in rows if not row.startswith("  └")]
    assert names == [
        *("api:v1", "back office", "db", "off", "plugin:flapping", "slow", "web"),
    ]
    assert prompt == PROMPT


def test_a_line_is_a_command_and_an_empty_one_nothing(shell: Terminal) -> None:
    shell.enter("numprocesses web")
    answered = [f"{PROMPT} numprocesses web", "2"]
    shell.wait_for_end(*answered, PROMPT)
    shell.press("Enter", "Enter")
    shell.enter("numwatchers")
    shell.wait_for_end(*answered, PROMPT, PROMPT, f"{PROMPT} numwatchers", "6", PROMPT)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("nonsense now", "*** Unknown syntax: nonsense now (unknown command: 'nonsense')"),
        ("incr", "circusctl: NAME is missing"),
        ("incr web many", "circusctl: NB is a number, not 'many'"),
        ("stop nobody", "error: no watcher is named 'nobody'"),
        ("stop 'web", "*** no closing quotation"),
        ("stop web --nonsense", "circusctl: stop has no switch --nonsense"),
        ("help completion", "usage: circusctl completion bash|zsh|fish"),
        ("? numwatchers", "usage: circusctl numwatchers"),
    ],
)
def test_no_mistake_ends_it(shell: Terminal, line: str, answer: str) -> None:
    shell.enter(line)
    shell.wait_for_line(answer)
    shell.enter("numprocesses db")
    shell.wait_for(f"{PROMPT} numprocesses db\n1\n{PROMPT}")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("numw", "numwatchers"),
        ("stop we", "stop web"),
        ("stop back", r"stop back\ office"),
        (r"stop back\ o", r"stop back\ office"),
        ("stop 'back o", "stop 'back office'"),
        ("stop api", "stop api:v1"),
        ("stop web --wai", "stop web --waiting"),
        ("stop --match=gl", "stop --match=glob"),
        ("get web graceful", "get web graceful_timeout"),
        ("set web max_retry", "set web max_retry"),
        ("signal web HU", "signal web HUP"),
        ("help restar", "help restart"),
        ("exi", "exit"),
    ],
)
def test_tab_completes(shell: Terminal, typed: str, line: str) -> None:
    shell.write(typed)
    shell.press("Tab")
    shell.write("|")
    shell.wait_for_last(f"{PROMPT} {line} |")


def test_tab_completes_pids_and_options_up_to_their_sign(shell: Terminal, daemon: Daemon) -> None:
    (pid,) = daemon.pids("db")
    shell.write("kill db ")
    shell.press("Tab")
    shell.wait_for_last(f"{PROMPT} kill db {pid}")
    shell.press("C-u")
    shell.write("add new sleep 1 --option numproc")
    shell.press("Tab")
    shell.write("3")
    shell.wait_for_last(f"{PROMPT} add new sleep 1 --option numprocesses=3")


def test_a_second_tab_lists_what_there_is(shell: Terminal) -> None:
    shell.write("numprocesses ")
    shell.press("Tab", "Tab")
    shell.wait_for_last(f"{PROMPT} numprocesses")
    shell.wait_for(r"back\ office")
    listed = shell.lines()[-2].split()
    assert listed == ["api:v1", "back\\", "office", "db", "off", "slow", "web"]


def test_up_brings_lines_back_also_those_of_last_time(
    open_terminal: Open, daemon: Daemon, tmp_path: Path
) -> None:
    first = begin(open_terminal, daemon, XDG_STATE_HOME=str(tmp_path))
    first.enter("numprocesses web")
    first.wait_for(f"\n2\n{PROMPT}")
    first.enter("numwatchers")
    first.wait_for(f"\n6\n{PROMPT}")
    first.press("Up", "Up")
    first.wait_for_last(f"{PROMPT} numprocesses web")
    first.press("Down")
    first.wait_for_last(f"{PROMPT} numwatchers")
    # A window that is closed, with the line half typed, costs nothing of what was entered.
    first.close()
    second = begin(open_terminal, daemon, XDG_STATE_HOME=str(tmp_path))
    second.press("Up")
    second.wait_for_last(f"{PROMPT} numwatchers")
    second.press("Up", "Enter")
    second.wait_for(f"numprocesses web\n2\n{PROMPT}")
    history = tmp_path / "circusctl" / "history"
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("way", ["C-d", "C-c", "exit"])
def test_how_it_is_left(shell: Terminal, way: str) -> None:
    shell.press(*(way, "Enter") if way == "exit" else (way,))
    assert shell.exit_code() == 0
    assert "Traceback" not in shell.screen()


def test_interrupting_a_command_does_not_end_it(shell: Terminal, daemon: Daemon) -> None:
    shell.enter("stop slow --waiting")
    shell.wait_for("waiting for stop of slow")
    shell.press("C-c")
    shell.wait_for(f"interrupted\n{PROMPT}")
    shell.enter("start slow --waiting")
    shell.wait_for(f"ok\n{PROMPT}")
    daemon.until_active("slow", 1)


def test_the_daemon_goes_away_and_comes_back(open_terminal: Open) -> None:
    with accounted() as daemons:
        daemon = Daemon("[watcher:web]\ncmd = sleep 300\n")
        daemons.append(daemon)
        daemon.start()
        shell = begin(open_terminal, daemon, "--timeout", "0.5")
        assert daemon.stop() == 0
        shell.enter("numwatchers")
        shell.wait_for("nothing listens at")
        shell.wait_for_last(PROMPT)
        shell.write("stop w")
        shell.press("Tab")
        shell.write("|")
        shell.wait_for_last(f"{PROMPT} stop w|")
        shell.press("C-u")
        daemon.start()
        shell.write("numprocesses w")
        shell.press("Tab")
        shell.wait_for_last(f"{PROMPT} numprocesses web")
        shell.press("Enter")
        shell.wait_for(f"numprocesses web\n1\n{PROMPT}")
        shell.press("C-d")
        assert shell.exit_code() == 0


def test_it_begins_without_a_daemon(open_terminal: Open, tmp_path: Path) -> None:
    shell = open_terminal("circusctl", "--timeout", "0.5", "--endpoint", f"ipc://{tmp_path}/none")
    shell.wait_for("nothing listens at")
    shell.wait_for_last(PROMPT)
    shell.press("C-d")
    assert shell.exit_code() == 0


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("quit", "stop all watchers and end the daemon? (exit leaves the shell alone) [y/N]"),
        ("stop", "stop all watchers? [y/N]"),
        ("stop --waiting", "stop all watchers? [y/N]"),
    ],
)
@pytest.mark.parametrize("answer", ["", "n"])
def test_what_would_end_everything_is_asked_about(
    shell: Terminal, line: str, question: str, answer: str
) -> None:
    shell.enter(line)
    shell.wait_for_last(question)
    shell.enter(answer)
    shell.wait_for("nothing was done")
    shell.enter("numprocesses web")
    shell.wait_for(f"{PROMPT} numprocesses web\n2\n{PROMPT}")


def test_a_watcher_is_stopped_without_a_question(shell: Terminal, daemon: Daemon) -> None:
    shell.enter("stop db --waiting")
    shell.wait_for(f"{PROMPT} stop db --waiting\nok\n{PROMPT}")
    daemon.ok("start", name="db", waiting=True)


def test_exit_leaves_the_daemon_alone(shell: Terminal, daemon: Daemon) -> None:
    shell.enter("exit")
    assert shell.exit_code() == 0
    assert daemon.call("numwatchers")["numwatchers"] == 6


def test_who_says_yes_means_it(open_terminal: Open, daemon: Daemon) -> None:
    shell = begin(open_terminal, daemon)
    shell.enter("stop --waiting")
    shell.wait_for("stop all watchers? [y/N]")
    shell.enter("y")
    shell.wait_for_end("ok", PROMPT)
    assert daemon.call("numprocesses")["numprocesses"] == 0
    daemon.ok("start", waiting=True)
