"""What is called while an arbiter starts, and after its loop has ended, takes effect."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core import Arbiter, CircusClient, CircusSocket, Watcher

pytestmark = pytest.mark.live

ANY = "tcp://127.0.0.1:*"
LIMIT = 60.0


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def slow() -> Watcher:
    """Return a watcher whose process is never ready by itself."""
    return Watcher("slow", "sleep 100", ready="notify", ready_timeout=60, graceful_timeout=1)


def is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


class TestWhileItStarts:
    """The start waits for a process that is not ready."""

    def test_stop_from_another_thread(self) -> None:
        arbiter = Arbiter([slow()], ANY, ANY)
        thread = threading.Thread(target=arbiter.start)
        thread.start()
        wait_until(lambda: bool(arbiter.get_watcher("slow").processes))
        (pid,) = arbiter.get_watcher("slow").processes
        assert not arbiter.running
        arbiter.stop()
        thread.join(LIMIT)
        assert (thread.is_alive(), is_alive(pid)) == (False, False)

    def test_add_watcher_and_statuses(self) -> None:
        arbiter = Arbiter([slow()], None, None)
        thread = threading.Thread(target=arbiter.start)
        thread.start()
        wait_until(lambda: bool(arbiter.get_watcher("slow").processes))
        assert not arbiter.running
        added = arbiter.add_watcher("added", "sleep 100")
        added.start()
        assert arbiter.statuses()["added"] == "active"
        arbiter.rm_watcher("added")
        arbiter.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()

    def test_stop_at_once_in_a_loop(self) -> None:
        async def main() -> None:
            arbiter = Arbiter([Watcher("web", "sleep 100")], ANY, ANY)
            start = arbiter.start()
            arbiter.stop()
            run = await start
            await asyncio.wait_for(run, LIMIT)
            assert arbiter.statuses() == {"web": "stopped"}
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())

    def test_a_watcher_that_is_added_at_once(self) -> None:
        async def main() -> None:
            arbiter = Arbiter([], None, None)
            start = arbiter.start()
            arbiter.add_watcher("web", "sleep 100")
            run = await start
            assert arbiter.statuses() == {"web": "active"}
            await arbiter.stop()
            await run

        asyncio.run(main())


class TestAfterItsLoop:
    """The loop was the program's own, and has ended."""

    def test_everything_returns_after_asyncio_run(self) -> None:
        pids: list[int] = []

        async def main(arbiter: Arbiter) -> None:
            await arbiter.start()
            pids.extend(arbiter.get_watcher("web").processes)

        arbiter = Arbiter([Watcher("web", "sleep 100")], ANY, ANY)
        asyncio.run(main(arbiter))
        arbiter.stop()
        assert arbiter.statuses() == {"web": "stopped"}
        assert [watcher.name for watcher in arbiter.watchers] == ["web"]
        assert (len(pids), is_alive(pids[0])) == (1, False)

    def test_nothing_was_awaited(self) -> None:
        async def main(arbiter: Arbiter) -> None:
            arbiter.start()
            await asyncio.sleep(0)
            arbiter.stop()

        arbiter = Arbiter([Watcher("web", "sleep 100")], None, None)
        asyncio.run(main(arbiter))
        arbiter.stop()
        assert (arbiter.running, arbiter.statuses()) == (False, {"web": "stopped"})

    def test_a_loop_that_was_stopped_is_run_for_a_call(self) -> None:
        loop = asyncio.new_event_loop()
        arbiter = Arbiter([Watcher("web", "sleep 100")], ANY, ANY)

        async def begin() -> None:
            await arbiter.start()

        loop.run_until_complete(begin())
        assert arbiter.statuses() == {"web": "active"}
        (pid,) = arbiter.get_watcher("web").processes
        arbiter.stop()
        assert (arbiter.running, is_alive(pid)) == (False, False)
        loop.close()

    def test_a_loop_that_is_stopped_during_a_call(self) -> None:
        loop = asyncio.new_event_loop()
        arbiter = Arbiter([slow()], None, None)

        async def begin() -> None:
            arbiter.start()

        loop.run_until_complete(begin())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        wait_until(lambda: bool(arbiter.get_watcher("slow").processes))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT)
        arbiter.stop()
        assert arbiter.statuses() == {"slow": "stopped"}
        loop.close()


class TestWhatIsTaken:
    """Values that programs pass on as they have them."""

    @pytest.mark.parametrize(
        ("options", "name", "value"),
        [
            ({"numprocesses": "2"}, "numprocesses", 2),
            ({"graceful_timeout": "1.5"}, "graceful_timeout", 1.5),
            ({"shell": "true"}, "shell", True),
            ({"rlimits": {"NOFILE": "100"}}, "rlimits", {"nofile": 100}),
        ],
    )
    def test_numbers_as_text(self, options: dict[str, Any], name: str, value: object) -> None:
        watcher = Watcher("web", "sleep 100", **options)
        assert getattr(watcher.spec, name) == value
        watcher.set_opts({"numprocesses": "3"})
        assert watcher.numprocesses == 3

    @pytest.mark.parametrize(
        "options",
        [
            {"check_delay": -1},
            {"check_delay": "2"},
            {"proc_name": "mine"},
            {"ssh_server": None},
            {"loggerconfig": {"version": 1}},
        ],
    )
    def test_older_keywords(self, options: dict[str, Any]) -> None:
        assert Arbiter([], None, None, **options).numwatchers() == 0

    def test_the_umask_is_that_of_the_processes(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        words = f"sh -c 'umask > {file}.new; mv {file}.new {file}; exec sleep 100'"
        own = Watcher("own", words.replace("file", "own"), umask=0o077)
        arbiter = Arbiter([Watcher("web", words), own], None, None, umask=0o027, background=True)
        arbiter.start()
        try:
            wait_until(lambda: file.exists() and (tmp_path / "own").exists())
        finally:
            arbiter.stop()
        assert file.read_text().strip() == "0027"
        assert (tmp_path / "own").read_text().strip() == "0077"

    def test_the_programs_own_socket_is_the_one_that_is_bound(self) -> None:
        web = CircusSocket("web", host="127.0.0.1", port=0)
        arbiter = Arbiter([], None, None, sockets=[web], background=True)
        arbiter.start()
        try:
            assert web.getsockname() == ("127.0.0.1", web.port)
            assert web.port != 0
        finally:
            arbiter.stop()
            web.close()


def test_the_environment_of_a_watcher_that_names_sockets_is_known_at_rest() -> None:
    watcher = Watcher("web", "serve --fd $(circus.sockets.web)", use_sockets=True, env={"A": "1"})
    assert watcher.environment()["A"] == "1"


class Stopping(Arbiter):
    """Notes that it is told to stop."""

    stops = 0

    def stop(self) -> Any:
        self.stops += 1
        return super().stop()


def test_the_command_quit_goes_through_an_overridden_stop() -> None:
    arbiter = Stopping([Watcher("web", "sleep 100")], ANY, ANY, background=True)
    arbiter.start()
    assert arbiter.endpoints is not None
    with CircusClient(endpoint=arbiter.endpoints[0], timeout=LIMIT) as client:
        assert client.send_message("quit", waiting=True)["status"] == "ok"
    wait_until(lambda: not arbiter.running)
    assert arbiter.stops == 1
