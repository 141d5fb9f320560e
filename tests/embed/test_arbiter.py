"""`Arbiter` and `get_arbiter` in every form that the seeds show, blocking and in a loop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cvec_circus_core import (
    AlreadyExists,
    Arbiter,
    BadMessage,
    CircusClient,
    CircusError,
    Watcher,
    get_arbiter,
)

pytestmark = pytest.mark.live

LIMIT = 20.0
ANY = "tcp://127.0.0.1:*"


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def two_watchers(**options: Any) -> Arbiter:
    sleepers = [Watcher("one", "sleep 100"), Watcher("two", "sleep 100", numprocesses=2)]
    return Arbiter(sleepers, ANY, ANY, **options)


def test_in_the_background() -> None:
    arbiter = two_watchers(background=True)
    arbiter.start()
    try:
        assert arbiter.statuses() == {"one": "active", "two": "active"}
        assert (arbiter.numprocesses(), arbiter.numwatchers()) == (3, 2)
        assert arbiter.get_watcher("ONE").name == "one"
        with pytest.raises(KeyError):
            arbiter.get_watcher("three")
        assert arbiter.endpoints is not None
        with CircusClient(endpoint=arbiter.endpoints[0]) as client:
            assert client.send_message("numprocesses")["numprocesses"] == 3
    finally:
        arbiter.stop()
    assert not arbiter.running
    arbiter.stop()


def test_watchers_come_and_go_while_it_runs() -> None:
    arbiter = two_watchers(background=True)
    arbiter.start()
    try:
        added = arbiter.add_watcher("three", "sleep 100", numprocesses=2)
        assert added.is_stopped()
        added.start()
        assert len(added) == 2
        with pytest.raises(AlreadyExists):
            arbiter.add_watcher("THREE", "sleep 1")
        arbiter.rm_watcher("three")
        assert arbiter.numwatchers() == 2
        old = set(arbiter.get_watcher("two").processes)
        arbiter.reload()
        wait_until(lambda: not old & set(arbiter.get_watcher("two").processes))
        arbiter.stop_watchers()
        assert set(arbiter.statuses().values()) == {"stopped"}
        arbiter.start_watchers()
        assert set(arbiter.statuses().values()) == {"active"}
    finally:
        arbiter.stop()


def test_inside_a_running_loop() -> None:
    async def main() -> None:
        arbiter = two_watchers()
        run = await arbiter.start()
        assert arbiter.statuses() == {"one": "active", "two": "active"}
        await arbiter.stop()
        await run
        assert not arbiter.running
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_blocking_until_another_thread_stops_it() -> None:
    arbiter = two_watchers()
    thread = threading.Thread(target=lambda: (wait_until(lambda: arbiter.running), arbiter.stop()))
    thread.start()
    arbiter.start()
    thread.join(LIMIT)
    assert not arbiter.running


def test_one_watcher_that_can_not_start_stops_no_other() -> None:
    bad = Watcher("bad", "no-such-program-anywhere", max_retry=5, retry_pause=0.001)
    arbiter = Arbiter([bad, Watcher("good", "sleep 100")], None, None, background=True)
    arbiter.start()
    try:
        wait_until(lambda: arbiter.statuses() == {"bad": "stopped", "good": "active"})
        assert "no such program" in str(arbiter.get_watcher("bad").view().health.reason)
        assert arbiter.endpoints is None
    finally:
        arbiter.stop()


@pytest.mark.parametrize("cmd", ["false", "no-such-program-anywhere"])
def test_a_watcher_that_fails_for_good_ends_the_program_that_wants_it(cmd: str) -> None:
    bad = Watcher("bad", cmd, on_failure="exit", retry_pause=0.001)
    arbiter = Arbiter([bad, Watcher("good", "sleep 100")], None, None)
    with pytest.raises(CircusError, match=r"watcher bad has failed: .*5 t"):
        arbiter.start()
    assert not arbiter.running


def test_one_in_a_loop_raises_what_failed_from_the_task_of_its_run() -> None:
    async def main() -> None:
        arbiter = Arbiter([Watcher("bad", "false", on_failure="exit", max_retry=1)], None, None)
        with pytest.raises(CircusError, match="watcher bad has failed"):
            await (await arbiter.start())

    asyncio.run(main())


def test_an_endpoint_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        for background in (True, False):
            arbiter = Arbiter([], endpoint, ANY, background=background)
            with pytest.raises(Exception, match="in use"):
                arbiter.start()
            assert not arbiter.running


def test_an_own_event_is_published() -> None:
    arbiter = two_watchers(background=True)
    arbiter.start()
    try:
        heard: list[dict[str, Any]] = []
        home = arbiter._home
        assert home is not None
        home.ask(lambda: home.engine.bus.listen("test", lambda told: heard.append(told.body())))
        arbiter.get_watcher("one").send_msg("deployed", {"version": "1.2"})
        assert [(one["version"], one["watcher"]) for one in heard] == [("1.2", "one")]
    finally:
        arbiter.stop()


PROGRAM = """
import sys
from cvec_circus_core import get_arbiter
arbiter = {call}
print("made", flush=True)
try:
    arbiter.start()
finally:
    arbiter.stop()
print("over", flush=True)
"""


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ('get_arbiter("sleep 100", 4, pubsub_endpoint=sys.argv[2], endpoint=sys.argv[1])', 4),
        ('get_arbiter("sleep 100", sys.argv[1], sys.argv[2], numprocesses=3)', 3),
        ('get_arbiter([{"cmd": "sleep 100", "numprocesses": 2}], sys.argv[1], sys.argv[2])', 2),
        ('get_arbiter({"cmd": "sleep", "args": ["100"]}, sys.argv[1], sys.argv[2])', 1),
    ],
)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_forms_of_the_seeds(call: str, count: int, signum: int, tmp_path: Any) -> None:
    endpoints = [f"ipc://{tmp_path}/control", f"ipc://{tmp_path}/events"]
    program = [sys.executable, "-c", PROGRAM.format(call=call), *endpoints]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as running:
        try:
            with CircusClient(endpoint=endpoints[0], timeout=LIMIT) as client:
                end = time.monotonic() + LIMIT
                while client.send_message("numprocesses")["numprocesses"] != count:
                    assert time.monotonic() < end
                pids = client.send_message("list", name="sleep")["pids"]
            assert len(pids) == count
            running.send_signal(signum)
            assert running.stdout is not None
            assert running.stdout.read() == b"made\nover\n"
            assert running.wait(LIMIT) == 0
        finally:
            running.kill()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_number_needs_a_command() -> None:
    with pytest.raises(BadMessage, match="number"):
        get_arbiter([{"cmd": "sleep 1"}], 4)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(AlreadyExists):
        Arbiter([Watcher("a", "sleep 1"), Watcher("A", "sleep 1")])
