"""Every command that begins something tells, when it waits, what failed and what it said last."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until

pytestmark = pytest.mark.live

BROKEN = """
[watcher:sound]
cmd = sleep 1000
ready = spawned

[watcher:broken]
cmd = {python} {script}
backoff_max = 0.2
"""
SLOW = """
import os, socket, time
time.sleep(1)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", chr(0)))
time.sleep(1000)
"""
EXITS = "import sys; sys.exit('no database')"
LAST_LINE = "no database"
LAST_WORDS = [
    "print(*range(200), sep='\\n'); sys.stdout.flush(); sys.exit(LAST)",
    "sys.stderr.write(('x' * 99 + '\\n') * 1000 + LAST); os._exit(1)",
    "sys.stderr.write('x' * 100_000 + LAST); os.abort()",
    "os.close(2); subprocess.run(['sh', '-c', f'echo {LAST}; sleep 3 &']); os._exit(0)",
]
WAYS_OF_OUTPUT = [
    "",
    "redirect_stderr = True",
    "stdout_stream.filename = {folder}/out\nstderr_stream.filename = {folder}/out",
]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Write a program that ends at once, and says why."""
    script = tmp_path / "broken.py"
    script.write_text(EXITS)
    return script


@pytest.fixture
def daemon(start: Callable[..., Daemon], script: Path) -> Daemon:
    """Start a daemon with a watcher that is well, and another that is broken."""
    daemon = start(BROKEN.format(python=sys.executable, script=script))
    until(lambda: daemon.status("broken")["restarts"] > 0)
    return daemon


@pytest.mark.parametrize(
    "words",
    [
        ("start",),
        ("start", "broken"),
        ("start", "--match", "simple", "broken"),
        ("restart",),
        ("restart", "broken"),
        ("restart", "broken", "--rolling"),
        ("reload",),
        ("reload", "broken"),
        ("reload", "broken", "--terminate"),
        ("incr", "broken"),
    ],
)
def test_commands_tell_what_a_broken_program_said(daemon: Daemon, words: Sequence[str]) -> None:
    if words[0] == "start":
        assert daemon.control("stop", "--waiting").returncode == 0
    _assert_told(daemon, *words)


def test_options_that_break_a_watcher(daemon: Daemon, script: Path) -> None:
    outcome = daemon.control("set", "sound", "cmd", f"{sys.executable} {script}", "--waiting")
    assert outcome.returncode == 3, outcome
    assert "the old processes stay\nsound:2 err | " in outcome.stderr
    assert outcome.stderr.endswith(f"{LAST_LINE}\n")


def test_a_new_watcher_that_is_broken(daemon: Daemon, script: Path) -> None:
    _assert_told(daemon, "add", "--start", "new", f"{sys.executable} {script}")


def test_a_configuration_with_a_broken_watcher(daemon: Daemon, script: Path) -> None:
    body = daemon.file.read_text().partition("[watcher:")[2]
    daemon.write(f"[watcher:{body}\n[watcher:new]\ncmd = {sys.executable} {script}\n")
    outcome = _assert_told(daemon, "reloadconfig")
    assert "error: new: " in outcome


def test_all_watchers_that_failed_are_named(daemon: Daemon, script: Path) -> None:
    assert daemon.control("add", "worse", f"{sys.executable} {script}").returncode == 0
    daemon.control("stop", "--waiting")
    outcome = _assert_told(daemon, "start")
    assert outcome.startswith("error: broken: a process exited with 1 before it was ready")
    assert "; failed, too: worse\n" in outcome


def test_programs_get_the_lines_under_a_key(daemon: Daemon) -> None:
    reply = daemon.call("restart", name="broken", waiting=True)
    assert reply["status"] == "error"
    assert [entry["watcher"] for entry in reply["last_output"]] == ["broken"]
    assert reply["last_output"][0]["data"].endswith(f"{LAST_LINE}\n")


@pytest.mark.parametrize("options", WAYS_OF_OUTPUT)
def test_the_last_line_is_told_however_it_came(
    start: Callable[..., Daemon], tmp_path: Path, options: str
) -> None:
    sections = ""
    for number, program in enumerate(LAST_WORDS):
        script = tmp_path / f"broken{number}.py"
        script.write_text(f"import os, subprocess, sys\nLAST = {LAST_LINE!r}\n{program}\n")
        sections += (
            f"[watcher:broken{number}]\nautostart = False\ncmd = {sys.executable} {script}\n"
            f"{options.format(folder=tmp_path)}\n"
        )
    daemon = start(sections)
    for number, program in enumerate(LAST_WORDS):
        outcome = daemon.control("start", f"broken{number}", "--waiting")
        assert outcome.returncode == 3, (program, outcome)
        assert outcome.stderr.rstrip().endswith(LAST_LINE), (program, outcome.stderr[-200:])
        assert len(outcome.stderr) < 6000, program


def test_a_start_of_everything_waits_for_the_last_priority(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    daemon = start(f"[watcher:slow]\ncmd = {sys.executable} {script}\nready = notify\n")
    for command in ("start", "restart"):
        daemon.control("stop", "--waiting")
        assert daemon.control(command, "--waiting").returncode == 0
        assert daemon.status("slow")["ready"] == 1, command


def _assert_told(daemon: Daemon, *words: str) -> str:
    outcome = daemon.control("--timeout", "25", *words, "--waiting")
    assert outcome.returncode == 3, outcome
    head, *lines = outcome.stderr.splitlines()
    assert "a process exited with 1 before it was ready" in head
    assert lines, outcome
    assert all(" err | " in line for line in lines), outcome
    assert lines[-1].endswith(LAST_LINE), outcome
    return outcome.stderr
