"""Signals to the daemon: every one does what it says, whatever is under way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cvec_circus_core.daemon.shutdown import ONE_SIGNAL
from tests.live.daemon import LIMIT, Daemon, until
from tests.live.wire import Ear

Start = Callable[..., Daemon]

ENDS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
SLOW_START = "[watcher:slow]\ncmd = sleep 1000\nnumprocesses = 10\nwarmup_delay = 1\n"
STUBBORN = """[watcher:stubborn]
cmd = sh -c 'trap "" TERM; echo > DIR/$1; while :; do sleep 0.1; done' x $WID
graceful_timeout = 60
numprocesses = 2
"""


SLOW_STOP = """[watcher:w]
cmd = sh -c 'trap "sleep 1; echo said goodbye; exit" TERM; echo up; while :; do sleep 0.05; done'
graceful_timeout = 60
"""


def ended(daemon: Daemon, signum: int, within: float) -> None:
    """Send a signal; the daemon has to end soon and well."""
    begun = time.monotonic()
    assert daemon.stop(signum, within) == 0
    print(f"ended by {signal.Signals(signum).name} in {time.monotonic() - begun:.2f} s")


@pytest.mark.parametrize("signum", ENDS)
def test_it_stops_everything_in_the_middle_of_a_slow_start(
    start: Start, tmp_path: Path, signum: int
) -> None:
    pidfile = tmp_path / "pid"
    text = f"{SLOW_START}[watcher:next]\ncmd = sleep 1000\npriority = -1\n"
    daemon = start(text, circus=f"pidfile = {pidfile}")
    until(lambda: daemon.status("slow")["running"] == 2)
    assert pidfile.read_text() == f"{daemon.process.pid}\n"
    ended(daemon, signum, 5)
    assert not pidfile.exists()


@pytest.mark.parametrize("signum", ENDS)
def test_a_second_one_during_a_slow_stop_kills_at_once(
    start: Start, tmp_path: Path, signum: int
) -> None:
    daemon = start(STUBBORN.replace("DIR", str(tmp_path)), circus="warmup_delay = 0")
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    daemon.process.send_signal(signum)
    until(lambda: daemon.status("stubborn")["status"] == "stopping")
    assert daemon.refused("start", name="stubborn", waiting=True) == (5, "the daemon is quitting")
    assert daemon.refused("add", name="x", cmd="true")[0] == 5
    assert daemon.process.poll() is None
    time.sleep(ONE_SIGNAL)
    ended(daemon, signum, 5)
    assert daemon.said(f"{signal.Signals(signum).name} again: killing what is left")


def test_one_that_is_sent_to_the_process_and_to_its_group_is_one(start: Start) -> None:
    daemon = start(SLOW_STOP)
    until(lambda: daemon.said("\nup\n"))
    for _ in range(3):
        daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(LIMIT) == 0
    assert not daemon.said("killing what is left")
    assert daemon.said("\nsaid goodbye\n")


def test_the_first_one_during_a_stop_by_command_hurries_nobody(start: Start) -> None:
    daemon = start(SLOW_STOP)
    until(lambda: daemon.said("\nup\n"))
    daemon.ok("quit")
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(LIMIT) == 0
    assert daemon.said("SIGINT: everything is stopping already")
    assert daemon.said("\nsaid goodbye\n")


def test_it_ends_all_the_same_during_a_slow_stop_by_command(start: Start, tmp_path: Path) -> None:
    text = STUBBORN.replace("DIR", str(tmp_path)).replace("= 60", "= 1")
    daemon = start(f"{text}[watcher:other]\ncmd = sleep 1000\n")
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    daemon.ok("restart", name="stubborn")
    ended(daemon, signal.SIGTERM, 5)


def test_it_ends_during_a_restart_of_everything(start: Start) -> None:
    daemon = start(SLOW_START, circus="warmup_delay = 1")
    daemon.ok("restart")
    daemon.ok("reload")
    ended(daemon, signal.SIGTERM, 5)


def test_hup_reloads_all_and_hup_and_usr1_open_the_log_anew(
    start: Start, listen: Callable[..., Ear], tmp_path: Path
) -> None:
    off = "[watcher:off]\ncmd = sleep 1000\nautostart = no\n"
    daemon = start(f"[watcher:w]\ncmd = sleep 1000\nnumprocesses = 2\n{off}", logs_to_file=True)
    before = daemon.until_active("w", 2)
    ear = listen(daemon)
    parts = []
    for turn, signum in enumerate((signal.SIGHUP, signal.SIGUSR1), start=1):
        parts.append(tmp_path / str(turn))
        # A copy that is cut does not show to who holds the file open: only the name can.
        daemon.log.rename(parts[-1])
        daemon.process.send_signal(signum)
        if signum == signal.SIGUSR1:
            daemon.ok("reload", waiting=True)
        ear.wait_for("reload", "w", count=turn)
        until(lambda: daemon.log.exists() and daemon.said("running w process"))
        assert not set(before) & set(daemon.pids("w"))
        assert daemon.status("off")["status"] == "stopped"
    assert daemon.stop() == 0
    daemon.log.write_text("".join(one.read_text() for one in (*parts, daemon.log)))
    for line in ("SIGHUP: reopen: ok", "SIGHUP: reload: ok", "SIGUSR1: reopen: ok"):
        assert daemon.said(line)


def test_what_means_nothing_is_survived(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    before = daemon.until_active("w")
    harmless = (signal.SIGWINCH, signal.SIGPIPE, signal.SIGCHLD, signal.SIGCONT)
    deadly = (signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO)
    for signum in (*harmless, *deadly):
        for _ in range(20):
            daemon.process.send_signal(signum)
        assert daemon.pids("w") == before
    until(lambda: daemon.said("SIGUSR2 means nothing here"))


def test_a_storm_of_deaths_and_signals_ends_well(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 100\n")
    for pid in daemon.until_active("w", 100):
        os.kill(pid, signal.SIGKILL)
    for signum in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
        daemon.process.send_signal(signum)
    ended(daemon, signal.SIGTERM, 10)


def test_nohup_and_background_jobs_hand_nothing_on(start: Start) -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        daemon = start("[watcher:w]\ncmd = sleep 1000\nstop_signal = INT\ngraceful_timeout = 60\n")
    finally:
        signal.signal(signal.SIGINT, previous)
    daemon.until_active("w")
    begun = time.monotonic()
    daemon.ok("stop", name="w", waiting=True)
    assert time.monotonic() - begun < 10
    ended(daemon, signal.SIGINT, 5)
