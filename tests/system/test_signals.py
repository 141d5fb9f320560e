"""The daemon's handlers come and go without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest

from cvec_circus_core.system.signals import DaemonSignals

WATCHED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH, signal.SIGINT)


@pytest.fixture
def heard(loop: asyncio.AbstractEventLoop) -> Any:
    return []


def test_signals_are_heard_in_the_loop(loop: asyncio.AbstractEventLoop, heard: list[str]) -> None:
    signals = DaemonSignals(loop)
    before = [signal.getsignal(signum) for signum in WATCHED]
    assert signals.install(
        {signal.SIGTERM: lambda: heard.append("term"), signal.SIGUSR1: lambda: heard.append("usr1")}
    )
    os.kill(os.getpid(), signal.SIGWINCH)
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGTERM)
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    assert sorted(heard) == ["term", "usr1"]
    signals.restore()
    signals.restore()
    assert [signal.getsignal(signum) for signum in WATCHED] == before


def test_a_storm_of_one_signal_drowns_no_other(
    loop: asyncio.AbstractEventLoop, heard: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    signals = DaemonSignals(loop)
    signals.install(
        {
            signal.SIGCHLD: lambda: heard.append("chld"),
            signal.SIGTERM: lambda: heard.append("term"),
        }
    )
    for _ in range(70_000):  # more than any pipe holds
        signal.raise_signal(signal.SIGCHLD)
    signal.raise_signal(signal.SIGTERM)
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    assert heard[-1] == "term"
    assert "chld" in heard
    signals.restore()
    assert capfd.readouterr().err == ""


def test_a_signal_wakes_a_loop_that_sleeps(
    loop: asyncio.AbstractEventLoop, heard: list[str]
) -> None:
    signals = DaemonSignals(loop)
    signals.install({signal.SIGUSR1: loop.stop})
    killer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    killer.start()
    loop.call_later(20, heard.append, "too late")
    loop.run_forever()
    killer.join()
    signals.restore()
    assert not heard


def test_nothing_that_children_would_inherit_is_ignored(loop: asyncio.AbstractEventLoop) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signals = DaemonSignals(loop)
        signals.install({})
        assert callable(signal.getsignal(signal.SIGHUP))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        signals.restore()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_is_changed(loop: asyncio.AbstractEventLoop) -> None:
    said: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)
    signals = DaemonSignals(loop)
    thread = threading.Thread(target=lambda: said.append(signals.install({signal.SIGTERM: print})))
    thread.start()
    thread.join(5)
    assert said == [False]
    signals.restore()
    assert signal.getsignal(signal.SIGTERM) is before
