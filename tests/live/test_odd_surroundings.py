"""A daemon in odd surroundings: closed streams, foreign children, stopped workers, other users."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import BIN, LIMIT, Daemon, until

Start = Callable[..., Daemon]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
NOBODY = pwd.getpwnam("nobody")
SAYS_GOODBYE = """echo $$ > {folder}/pid
trap "echo > {folder}/bye; exit" TERM
echo > {folder}/up
while :; do sleep 0.05; done
"""


def words(process: psutil.Process) -> list[str]:
    """Return the command line of a process; none of one that is gone or dead."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    "signum",
    [
        *(signal.SIGXCPU, signal.SIGPWR, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS),
        *(signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX),
    ],
)
def test_every_signal_that_can_be_caught_ends_it_in_order(start: Start, signum: int) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 2\n")
    pids = daemon.until_active("w")
    assert daemon.stop(signum) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_stopped_worker_hears_its_stop_signal(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "worker"
    script.write_text(SAYS_GOODBYE.format(folder=tmp_path))
    body = f"[watcher:w]\ncmd = sh {script}\ngraceful_timeout = 60\n"
    daemon = start(body)
    until(lambda: (tmp_path / "up").exists())
    (pid,) = daemon.until_active("w")
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    daemon.ok("stop", name="w", waiting=True)
    assert (tmp_path / "bye").exists()


def test_a_stopped_leftover_hears_its_stop_signal(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "child"
    script.write_text(SAYS_GOODBYE.format(folder=tmp_path))
    body = f"""[watcher:w]
cmd = sh -c 'setsid sh {script} & exec sleep 1000'
graceful_timeout = 60
"""
    daemon = start(body)
    until(lambda: (tmp_path / "up").exists())
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    daemon.ok("stop", name="w", waiting=True)
    assert (tmp_path / "bye").exists()


@as_root
@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="nothing to take a capability away with"
)
def test_a_stop_ends_where_a_process_may_not_be_signalled(tmp_path: Path) -> None:
    file, log = tmp_path / "circus.ini", tmp_path / "log"
    ends = f"endpoint = ipc://{tmp_path}/c\npubsub_endpoint = ipc://{tmp_path}/e\n"
    options = "uid = nobody\ngraceful_timeout = 0.5\n"
    file.write_text(f"[circus]\n{ends}[watcher:w]\ncmd = sleep 1000\n{options}")
    with log.open("wb") as out:
        # Without this capability root may not signal the processes of others.
        daemon = subprocess.Popen(
            ["setpriv", "--bounding-set=-kill", BIN / "circusd", file],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    sleepers: list[psutil.Process] = []

    def is_up() -> bool:
        assert daemon.poll() is None, log.read_text()
        children = psutil.Process(daemon.pid).children()
        sleepers[:] = [child for child in children if words(child) == ["sleep", "1000"]]
        return bool(sleepers) and "Starting master" in log.read_text()

    try:
        until(is_up)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(2 * LIMIT) == 0, log.read_text()
        text = log.read_text()
        assert f"process {sleepers[0].pid} belongs to another user" in text
        assert "and it does not go: leaving it" in text
    finally:
        daemon.kill()
        for sleeper in sleepers:
            sleeper.kill()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_opened_on_nothing(tmp_path: Path, closed: str) -> None:
    file, seen = tmp_path / "circus.ini", tmp_path / "seen"
    look = f"ls -l /proc/self/fd > {seen}.new; mv {seen}.new {seen}; exec sleep 1000"
    ends = f"endpoint = ipc://{tmp_path}/c\npubsub_endpoint = ipc://{tmp_path}/e\n"
    file.write_text(
        f"[circus]\n{ends}logoutput = {tmp_path}/log\n[watcher:w]\ncmd = sh -c '{look}'\n"
    )
    command = f"exec {BIN}/circusd {file} {closed}"
    daemon = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL)
    try:
        until(seen.exists)
        links = {number: os.readlink(f"/proc/{daemon.pid}/fd/{number}") for number in range(3)}
        for number, sign in enumerate(("<&-", " >&-", "2>&-")):
            if sign.strip() in closed.split():
                assert links[number] == "/dev/null"
        assert all(not link.startswith(("socket:", "anon_inode:")) for link in links.values())
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(LIMIT) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        daemon.kill()


@pytest.mark.parametrize(
    "program",
    [["circusctl", "--help"], ["circus-plugin", "--help"], ["circusd-stats", "--help"]],
    ids=lambda words: words[0],
)
def test_no_program_stumbles_over_closed_streams(program: list[str]) -> None:
    line = f"exec {BIN}/{' '.join(program)} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line]).returncode == 0


def test_children_that_were_there_before_are_reaped(tmp_path: Path) -> None:
    file = tmp_path / "circus.ini"
    ends = f"endpoint = ipc://{tmp_path}/c\npubsub_endpoint = ipc://{tmp_path}/e\n"
    file.write_text(f"[circus]\n{ends}[watcher:w]\ncmd = sleep 1000\n")
    jobs = "for i in 1 2 3 4 5; do sleep 0.0$i & sleep 3 & done; sleep 0.2"
    daemon = subprocess.Popen(
        ["sh", "-c", f"{jobs}; exec {BIN}/circusd {file}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def children() -> list[psutil.Process]:
        assert daemon.poll() is None
        return psutil.Process(daemon.pid).children()

    try:
        until(lambda: ["sleep", "1000"] in map(words, children()))
        until(lambda: len(children()) == 1)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(LIMIT) == 0
    finally:
        daemon.kill()


@as_root
def test_a_process_of_another_user_has_its_account_and_can_open_its_output(
    start: Start, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    body = """[watcher:w]
cmd = sh -c 'env; echo opened > /dev/stdout; exec sleep 1000'
uid = nobody
env = USER=own
stdout_stream.class = StdoutStream
"""
    daemon = start(body)
    until(lambda: daemon.said("opened"))
    lines = daemon.text().splitlines()
    assert f"HOME={NOBODY.pw_dir}" in lines
    assert f"SHELL={NOBODY.pw_shell}" in lines
    assert "LOGNAME=nobody" in lines
    assert "USER=own" in lines


def test_the_sockets_of_a_killed_daemon_are_taken_and_those_of_a_living_one_are_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "circus.ini"
    ends = f"endpoint = ipc://{tmp_path}/c\npubsub_endpoint = ipc://{tmp_path}/e\n"
    managed = f"[socket:web]\npath = {tmp_path}/web\nreplace = True\n"
    file.write_text(f"[circus]\n{ends}{managed}[watcher:w]\ncmd = true\nautostart = False\n")
    other = tmp_path / "other.ini"
    own = f"endpoint = ipc://{tmp_path}/c2\npubsub_endpoint = ipc://{tmp_path}/e2\n"
    other.write_text(f"[circus]\n{own}{managed}")
    without = tmp_path / "without.ini"
    without.write_text(f"[circus]\n{ends}")

    def started() -> subprocess.Popen[bytes]:
        log = tmp_path / f"log{len(list(tmp_path.glob('log*')))}"
        with log.open("wb") as out:
            daemon = subprocess.Popen([BIN / "circusd", file], stdout=out, stderr=out)
        until(lambda: "waiting for commands" in log.read_text() or daemon.poll() is not None)
        assert daemon.poll() is None, log.read_text()
        return daemon

    first = started()
    first.kill()
    first.wait()
    second = started()
    try:
        for rival, sentence in (
            (other, f"{tmp_path}/web: another process listens there already: {second.pid} ("),
            (without, f"is another daemon running there? (process {second.pid})"),
        ):
            refused = subprocess.run([BIN / "circusd", rival], capture_output=True, text=True)
            assert refused.returncode == 1
            assert sentence in refused.stderr
        second.send_signal(signal.SIGTERM)
        assert second.wait(LIMIT) == 0
    finally:
        second.kill()
