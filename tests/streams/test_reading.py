"""From a pipe to a sink: line by line, to the last byte, and whatever the sink does."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.launch import Channel, LaunchPlan, Stdio
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.streams import job_thread, sink_writer
from cvec_circus_core.runtime.streams.outputs import close_outputs
from cvec_circus_core.runtime.streams.pipe_reader import AT_ONCE, LONGEST
from cvec_circus_core.runtime.streams.watcher_streams import WatcherStreams
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.clock import AsyncioClock
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import FakeProcesses
from cvec_circus_core.testing import FakeClock

PLAN = LaunchPlan(argv=("x",), env={})


class Paper:
    """A sink that remembers what it was told."""

    in_loop = True

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.life: list[str] = []

    def __call__(self, data: Mapping[str, Any]) -> None:
        self.pieces.append((data["pid"], data["data"]))

    @property
    def text(self) -> bytes:
        """Everything that was written."""
        return b"".join(data for _, data in self.pieces)

    def open(self) -> None:
        """Remember it."""
        self.life.append("open")

    def close(self) -> None:
        """Remember it."""
        self.life.append("close")

    def reopen(self) -> None:
        """Remember it."""
        self.life.append("reopen")


class Desk:
    """The streams of one watcher, and processes that write when they are told."""

    def __init__(self, **settings: Any) -> None:
        loop = asyncio.get_running_loop()
        clock = AsyncioClock(loop)
        # Output that is only kept has tests of its own.
        settings.setdefault("keep_output", 0)
        self.spec = WatcherSpec(name="web", cmd="x", **settings)
        self.world = World(
            loop,
            clock,
            FakeProcesses(FakeClock()),
            FairQueue(clock, loop, lambda: 1),
            ManagedSockets(FakeSocketOwner()),
            lambda event: None,
        )
        self.streams = WatcherStreams(self.world, lambda: self.spec)

    def begin(self, pid: int, wid: int = 1) -> tuple[int, int]:
        """Start a process; return the ends of its pipes, -1 where there is none."""
        with self.streams.open_pipes(wid, PLAN) as pipes:
            ends = [pipes.stdio.stdout, pipes.stdio.stderr]
            kept = [os.dup(end) if isinstance(end, int) else -1 for end in ends]
            pipes.started(pid)
        return kept[0], kept[1]

    def change(self, **settings: Any) -> bool:
        """Live by other settings from now on."""
        settings.setdefault("keep_output", self.spec.keep_output)
        new = WatcherSpec(name="web", cmd="x", **settings)
        needs_new = self.streams.change(new)
        self.spec = new
        return needs_new


async def until(fact: Callable[[], object]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(20):
        while not fact():  # noqa: ASYNC110 – there is no event for a fact of somebody else
            await asyncio.sleep(0.001)


def write_and_close(end: int, data: bytes) -> None:
    """Be a process that writes and ends."""
    os.write(end, data)
    os.close(end)


Test = Callable[[], Awaitable[None]]


@asynccontextmanager
async def no_descriptor_left() -> AsyncIterator[None]:
    """Make sure that everything that was opened is closed."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def run(test: Test) -> None:
    """Run an asynchronous test, and look at the descriptors."""

    async def checked() -> None:
        async with no_descriptor_left():
            await test()

    asyncio.run(checked())


def test_lines_are_delivered_whole() -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        one, two = desk.begin(1)[0], desk.begin(2, 2)[0]
        for data, end in ((b"a1\na", one), (b"b1\nb", two), (b"2\n", one), (b"2\n", two)):
            said = len(paper.text)
            os.write(end, data)
            await until(lambda said=said: len(paper.text) > said)  # type: ignore[misc]
        os.close(one)
        os.close(two)
        await until(lambda: not desk.world.outputs.readers)
        assert paper.pieces == [(1, b"a1\n"), (2, b"b1\n"), (1, b"a2\n"), (2, b"b2\n")]

    run(test)


def test_an_unfinished_line_waits_for_ever_where_it_could_not_be_gone_on_with() -> None:
    async def test() -> None:
        paper, lines = Paper(), Paper()
        lines.whole_lines = True  # type: ignore[attr-defined]
        desk = Desk(stdout_stream={"stream": paper}, stderr_stream={"stream": lines})
        ends = desk.begin(1)
        for end in ends:
            os.write(end, b"one\ntw")
        await until(lambda: paper.text == b"one\ntw")
        assert lines.text == b"one\n"
        for end in ends:
            os.write(end, b"o\n")
        await until(lambda: (paper.text, lines.text) == (b"one\ntwo\n",) * 2)
        for end in ends:
            os.close(end)
        await until(lambda: not desk.world.outputs.readers)

    run(test)


def test_a_line_is_not_cut_because_nobody_had_time_to_read_its_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        end = desk.begin(1)[0]
        os.write(end, b"one\ntw")
        await until(lambda: paper.text)
        time.sleep(0.1)  # noqa: ASYNC251 – the loop has other things to do, for longer than patience
        os.write(end, b"o\n")
        await until(lambda: paper.text == b"one\ntwo\n")
        assert paper.pieces == [(1, b"one\n"), (1, b"two\n")]
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)

    monkeypatch.setattr("cvec_circus_core.runtime.streams.pipe_reader.PATIENCE", 0.05)
    run(test)


def test_an_unfinished_line_waits_for_its_end_but_not_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        one, two = desk.begin(1)[0], desk.begin(2, 2)[0]
        os.write(one, b"prompt> ")
        os.write(two, b"line\n")
        await until(lambda: paper.pieces == [(2, b"line\n")])
        await asyncio.sleep(0.3)  # longer than patience: nothing may come
        assert paper.pieces == [(2, b"line\n")]
        os.close(two)
        await until(lambda: paper.pieces[1:] == [(1, b"prompt> ")])
        os.write(one, b"yes\nno end")
        os.close(one)
        await until(lambda: paper.pieces[2:] == [(1, b"yes\n"), (1, b"no end")])

    monkeypatch.setattr("cvec_circus_core.runtime.streams.pipe_reader.PATIENCE", 0.2)
    run(test)


def test_long_lines_do_not_fill_the_memory() -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        end, other = desk.begin(1)[0], desk.begin(2, 2)[0]
        data = b"x" * (2 * LONGEST + 100)
        writer = threading.Thread(target=partial(write_and_close, end, data))
        writer.start()
        await until(lambda: paper.text == data)
        os.close(other)
        await until(lambda: not desk.world.outputs.readers)
        assert max(len(piece) for _, piece in paper.pieces) < LONGEST + AT_ONCE
        writer.join()

    run(test)


def test_the_pipe_of_a_dead_process_is_read_to_its_end() -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        end = desk.begin(1)[0]
        desk.streams.process_ended(1, 0.0)
        data = b"last words\n" * 5000
        writer = threading.Thread(target=partial(write_and_close, end, data))
        writer.start()
        await until(lambda: not desk.world.outputs.readers)
        assert paper.text == data
        writer.join()

    run(test)


def test_a_grandchild_keeps_a_pipe_only_for_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        end = desk.begin(1)[0]
        os.write(end, b"one\ntwo")
        desk.streams.process_ended(1, 0.0)
        await until(lambda: not desk.world.outputs.readers)
        assert paper.text == b"one\ntwo"
        with pytest.raises(BrokenPipeError):
            os.write(end, b"three\n")
        os.close(end)

    monkeypatch.setattr("cvec_circus_core.runtime.streams.watcher_streams.LINGER", 0.1)
    run(test)


def test_a_sink_lives_as_long_as_its_watcher() -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        end = desk.begin(1)[0]
        desk.streams.reopen()
        desk.streams.close_later()
        os.write(end, b"still there\n")
        await until(lambda: paper.text)
        assert paper.life == ["open", "reopen"]
        os.close(end)
        await until(lambda: paper.life[2:] == ["close"])
        desk.streams.reopen()
        os.close(desk.begin(2)[0])
        await until(lambda: not desk.world.outputs.readers)
        desk.streams.close_later()
        os.close(desk.begin(3)[0])
        await until(lambda: not desk.world.outputs.readers)
        assert paper.life[3:] == ["open"]
        desk.streams.close_later()
        await until(lambda: paper.life[3:] == ["open", "close"])
        await until(lambda: not desk.world.outputs.writers)

    run(test)


def test_a_sink_that_raises_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        told: list[bytes] = []

        def sink(data: Mapping[str, Any]) -> None:
            told.append(data["data"])
            raise RuntimeError("out of ink")

        desk = Desk(stdout_stream={"stream": sink})
        end = desk.begin(1)[0]
        for number in range(20):
            os.write(end, b"%d\n" % number)
            await until(lambda number=number: len(told) > number)  # type: ignore[misc]
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)
        (writer,) = desk.world.outputs.writers
        await until(lambda: writer.failures == 20)
        await close_outputs(desk.world.outputs, 5.0)

    run(test)
    assert caplog.messages == [
        "stdout_stream of web failed (RuntimeError: out of ink); 2 bytes are lost; "
        "its processes go on",
        "stdout_stream of web is closed; it had failed 19 times more; 48 bytes are lost meanwhile",
    ]


def test_a_sink_that_hangs_makes_its_processes_wait_and_loses_nothing() -> None:
    async def test() -> None:
        goes_on = threading.Event()
        told: list[bytes] = []

        def sink(data: Mapping[str, Any]) -> None:
            goes_on.wait(20)
            told.append(data["data"])

        desk = Desk(stdout_stream={"stream": sink})
        end = desk.begin(1)[0]
        os.set_blocking(end, False)
        line = b"x" * 99 + b"\n"
        written = 0
        for _ in range(200):
            try:
                while True:
                    written += os.write(end, line * 10)
            except BlockingIOError:
                await asyncio.sleep(0.002)
        (writer,) = desk.world.outputs.writers
        assert job_thread.ROOM <= writer.waiting <= job_thread.ROOM + AT_ONCE
        assert written < 4 * job_thread.ROOM
        assert not told
        goes_on.set()
        os.close(end)
        await until(lambda: sum(map(len, told)) == written)

    run(test)


def test_the_dead_do_not_pile_up_before_a_sink_that_hangs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    goes_on = threading.Event()

    async def test() -> None:
        desk = Desk(stdout_stream={"stream": lambda data: goes_on.wait(20)})
        end = desk.begin(1)[0]
        writer = threading.Thread(target=partial(write_and_close, end, b"x\n" * 10))
        writer.start()
        await until(lambda: sum(writer.waiting for writer in desk.world.outputs.writers))
        desk.streams.process_ended(1, 0.0)
        desk.streams.process_ended(2, 0.0)
        full = desk.begin(2)[0]
        desk.streams.process_ended(2, 0.0)
        await until(lambda: not desk.world.outputs.readers)
        goes_on.set()
        os.close(full)
        writer.join()
        await close_outputs(desk.world.outputs, 5.0)

    monkeypatch.setattr("cvec_circus_core.runtime.streams.watcher_streams.LINGER", 0.05)
    monkeypatch.setattr(job_thread, "ROOM", 10)
    monkeypatch.setattr("cvec_circus_core.runtime.streams.pipe_reader.STUCK", 0)
    run(test)
    assert "watcher web: nobody took the last output of process 2 in 0 s; it is lost" in (
        caplog.messages
    )


def test_a_slow_sink_leaves_the_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        threads = []

        class Slow(Paper):
            def __call__(self, data: Mapping[str, Any]) -> None:
                threads.append(threading.current_thread())
                super().__call__(data)

        paper = Slow()
        desk = Desk(stdout_stream={"stream": paper})
        end = desk.begin(1)[0]
        for line in (b"one\n", b"two\n", b"three\n"):
            os.write(end, line)
            await until(lambda line=line: paper.text.endswith(line))  # type: ignore[misc]
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)
        assert threads[0] is threading.main_thread()
        assert threading.main_thread() not in threads[1:]
        assert paper.text == b"one\ntwo\nthree\n"

    monkeypatch.setattr(sink_writer, "SLOW", -1.0)
    run(test)


def test_another_sink_takes_over_where_the_first_one_stopped() -> None:
    async def test() -> None:
        first, second = Paper(), Paper()
        desk = Desk(stdout_stream={"stream": first})
        end = desk.begin(1)[0]
        os.write(end, b"one\ntw")
        await until(lambda: first.text)
        assert desk.change(stdout_stream={"stream": second}) is False
        os.write(end, b"o\nthree\n")
        await until(lambda: second.text == b"two\nthree\n")
        assert (first.text, first.life) == (b"one\n", ["open", "close"])
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)

    run(test)


def test_a_sink_that_can_not_be_had_changes_nothing() -> None:
    async def test() -> None:
        paper = Paper()
        desk = Desk(stdout_stream={"stream": paper})
        end = desk.begin(1)[0]
        with pytest.raises(SystemProblem, match="can not be opened: no such file"):
            desk.change(stdout_stream={"filename": "/no/where"})
        os.write(end, b"one\n")
        await until(lambda: paper.text == b"one\n")
        assert paper.life == ["open"]
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)

    run(test)


def test_a_stream_where_there_was_none_takes_new_processes() -> None:
    async def test() -> None:
        desk = Desk()
        assert desk.begin(1) == (-1, -1)
        assert desk.change(stdout_stream={"stream": Paper()}) is True
        end = desk.begin(2)[0]
        assert desk.change() is True
        assert desk.begin(3) == (-1, -1)
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)

    run(test)


def test_two_channels_with_one_place_share_it() -> None:
    async def test() -> None:
        paper = Paper()
        settings = {"stream": paper}
        desk = Desk(stdout_stream=settings, stderr_stream=dict(settings))
        out, err = desk.begin(1)
        os.write(out, b"out\n")
        os.write(err, b"err\n")
        await until(lambda: len(paper.pieces) == 2)
        assert len(desk.world.outputs.writers) == 1
        assert paper.life == ["open"]
        os.close(out)
        os.close(err)
        await until(lambda: not desk.world.outputs.readers)

    run(test)


def test_output_to_nowhere_gets_no_pipe() -> None:
    async def test() -> None:
        desk = Desk(stdout_stream={"stream": Paper()})
        nowhere = LaunchPlan(argv=("x",), env={}, stdout=Channel.NULL)
        with desk.streams.open_pipes(1, nowhere) as pipes:
            assert pipes.stdio == Stdio()

    run(test)


def test_a_process_that_does_not_start_leaves_no_pipe() -> None:
    async def test() -> None:
        desk = Desk(stdout_stream={"stream": Paper()}, stderr_stream={"stream": Paper()})
        with desk.streams.open_pipes(1, PLAN):
            pass
        desk.change(stdout_stream={"stream": Paper()}, stderr_stream={"stream": Paper()})
        assert not desk.world.outputs.readers

    run(test)


def test_the_end_takes_what_is_left_and_waits_for_sinks() -> None:
    async def test() -> None:
        told: list[bytes] = []

        def sink(data: Mapping[str, Any]) -> None:
            told.append(data["data"])

        desk = Desk(stdout_stream={"stream": sink})
        end = desk.begin(1)[0]
        os.write(end, b"one\n" * 10_000 + b"two")
        await close_outputs(desk.world.outputs, 5.0)
        assert b"".join(told) == b"one\n" * 10_000 + b"two"
        os.close(end)

    run(test)


def test_the_end_waits_for_a_sink_that_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        told = []

        def sink(data: Mapping[str, Any]) -> None:
            time.sleep(0.06)
            told.append(data["data"])

        desk = Desk(stdout_stream={"stream": sink})
        for number in range(10):
            os.write(end := desk.begin(number + 1)[0], b"one\n")
            os.close(end)
        await close_outputs(desk.world.outputs, 0.3)
        assert b"".join(told) == b"one\n" * 10

    run(test)
    assert caplog.messages == []


def test_a_dead_process_waits_for_a_sink_that_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        told = []

        def sink(data: Mapping[str, Any]) -> None:
            time.sleep(0.05)
            told.append(data["data"])

        desk = Desk(stdout_stream={"stream": sink})
        ends = [desk.begin(number)[0] for number in (1, 2)]
        for end in ends:
            os.write(end, b"one\n" * 10_000)
        for number, end in zip((1, 2), ends, strict=True):
            os.close(end)
            desk.streams.process_ended(number, 0.0)
        await until(lambda: not desk.world.outputs.readers)
        await close_outputs(desk.world.outputs, 5.0)
        assert b"".join(told).count(b"one\n") == 20_000

    monkeypatch.setattr("cvec_circus_core.runtime.streams.watcher_streams.LINGER", 0.05)
    monkeypatch.setattr("cvec_circus_core.runtime.streams.pipe_reader.AT_ONCE", 1000)
    monkeypatch.setattr("cvec_circus_core.runtime.streams.pipe_reader.STUCK", 1)
    monkeypatch.setattr(job_thread, "ROOM", 10)
    run(test)
    assert caplog.messages == []


def test_the_end_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    goes_on = threading.Event()

    async def test() -> None:
        desk = Desk(stdout_stream={"stream": lambda data: goes_on.wait(20)})
        end = desk.begin(1)[0]
        os.write(end, b"one\n")
        await close_outputs(desk.world.outputs, 0.1)
        os.close(end)

    run(test)
    goes_on.set()
    assert caplog.messages == [
        "stdout_stream of web did not take its last 4 bytes within 0.1 s; they are lost"
    ]


def test_who_listens_hears_every_byte_and_nobody_else_costs_anything() -> None:
    async def test() -> None:
        heard: list[tuple[str, Mapping[str, Any]]] = []

        class OutputSubscribers:
            wanted = ""

            def wants_output(self, topic: str) -> bool:
                return bool(self.wanted) and topic.startswith(self.wanted)

            def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
                heard.append((topic, body))

        subscribers = OutputSubscribers()
        desk = Desk(stdout_stream={"stream": Paper()})
        desk.world.outputs.subscribers = subscribers
        end = desk.begin(1)[0]
        for data in (b"one\n", b"two", b"\xff"):
            size = sum(one.end for one in desk.streams.recent("stdout", 0))
            os.write(end, data)
            await until(
                lambda size=size: sum(one.end for one in desk.streams.recent("stdout", 0)) > size  # type: ignore[misc]
            )
            subscribers.wanted = "stream.web."
        os.close(end)
        await until(lambda: not desk.world.outputs.readers)
        assert [topic for topic, _ in heard] == ["stream.web.1.stdout"] * 2
        said = [{key: body.get(key) for key in ("start", "data", "encoding")} for _, body in heard]
        assert said == [
            {"start": 4, "data": "two", "encoding": None},
            {"start": 7, "data": "/w==", "encoding": "base64"},
        ]

    run(test)
