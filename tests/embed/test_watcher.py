"""`Watcher` without an arbiter: blocking, and inside a running event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cvec_circus_core import BadMessage, CircusError, Watcher

pytestmark = pytest.mark.live

LIMIT = 20.0


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


@pytest.fixture
def sleeper() -> Iterator[Watcher]:
    watcher = Watcher("Sleeper", "sleep 100", numprocesses=2, graceful_timeout=5.0)
    yield watcher
    watcher.stop()
    assert watcher.is_stopped()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_runs_and_replaces_what_dies(sleeper: Watcher) -> None:
    assert sleeper.status() == "stopped"
    done = sleeper.start()
    assert sleeper.is_active()
    first, second = sleeper.get_active_pids()
    assert set(done.started) == {first, second}
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in sleeper.processes and len(sleeper) == 2)
    assert second in sleeper.processes
    sleeper.stop()
    assert sleeper.is_stopped()
    assert gone(second)


def test_the_applications_own_children_are_nobodys_business(sleeper: Watcher) -> None:
    sessions = [False, True]
    living = [subprocess.Popen(["sleep", "100"], start_new_session=own) for own in sessions]
    ended = [subprocess.Popen(["sh", "-c", "exit 7"], start_new_session=own) for own in sessions]
    sleeper.start()
    os.kill(next(iter(sleeper.get_active_pids())), signal.SIGKILL)
    late = subprocess.Popen(["sh", "-c", "(sleep 3 &); exit 8"])
    sleeper.restart()
    sleeper.stop()
    assert [one.poll() for one in living] == [None, None]
    assert [one.wait() for one in (*ended, late)] == [7, 7, 8]
    for one in living:
        one.kill()
        assert one.wait() == -signal.SIGKILL


def test_it_grows_shrinks_and_changes(sleeper: Watcher) -> None:
    sleeper.start()
    assert sleeper.incr() == 3
    assert len(sleeper) == 3
    assert sleeper.decr(2) == 1
    assert len(sleeper) == 1
    assert sleeper.set_opt("numprocesses", 2) == 2
    before = set(sleeper.processes)
    sleeper.set_opt("cmd", "sleep 99")
    wait_until(lambda: not before & set(sleeper.processes))
    assert dict(sleeper.options())["cmd"] == "sleep 99"


def test_reload_and_restart_replace_all(sleeper: Watcher) -> None:
    sleeper.start()
    old = set(sleeper.processes)
    done = sleeper.reload()
    assert set(done.stopped) == old
    done = sleeper.restart()
    assert set(done.started) == set(sleeper.processes)
    assert not old & set(sleeper.processes)


def test_it_can_be_started_again_after_a_stop(sleeper: Watcher) -> None:
    for _ in range(3):
        sleeper.start()
        assert len(sleeper) == 2
        sleeper.stop()
        assert len(sleeper) == 0


def test_info_and_signals(sleeper: Watcher) -> None:
    sleeper.start()
    (pid, other), info = sleeper.get_active_pids(), sleeper.info()
    assert info[pid]["cmdline"] == "sleep"
    assert sleeper.process_info(other)["pid"] == other
    sleeper.send_signal(pid, signal.SIGTERM)
    wait_until(lambda: pid not in sleeper.processes and len(sleeper) == 2)
    with pytest.raises(CircusError, match="not found"):
        sleeper.send_signal(pid, signal.SIGTERM)


def test_options_are_kept_before_the_start(sleeper: Watcher) -> None:
    assert sleeper.set_opt("numprocesses", 4) == 4
    sleeper.start()
    assert len(sleeper) == 4
    sleeper.stop()
    assert sleeper.numprocesses == 4


def test_a_program_that_is_not_there_raises_the_reason() -> None:
    watcher = Watcher("bad", "no-such-program-anywhere", max_retry=5, retry_pause=0.001)
    with pytest.raises(CircusError, match="no such program"):
        watcher.start()
    assert watcher.is_stopped()
    watcher.stop()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"numprocesses": "two"}, "numprocesses"), ({"singleton": True, "numprocesses": 2}, "single")],
)
def test_wrong_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        Watcher("w", "sleep 1", **options)  # type: ignore[arg-type]


def test_inside_a_running_loop_calls_are_awaited() -> None:
    async def main() -> None:
        watcher = Watcher("inside", "sleep 100", numprocesses=2)
        await watcher.start()
        assert watcher.is_active()
        assert await watcher.incr() == 3
        first = watcher.get_active_pids()[0]
        os.kill(first, signal.SIGKILL)
        await asyncio.to_thread(
            wait_until, lambda: first not in watcher.processes and len(watcher) == 3
        )
        await watcher.stop()
        assert watcher.is_stopped()
        await watcher.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_many_threads_may_use_one() -> None:
    watcher = Watcher("shared", "sleep 100", numprocesses=1)
    watcher.start()
    threads = [threading.Thread(target=watcher.incr) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(LIMIT)
    watcher.set_numprocesses(3)
    assert len(watcher) == 3
    watcher.stop()
