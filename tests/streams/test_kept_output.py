"""Output without a stream: remembered, and passed on byte for byte."""

from __future__ import annotations

import fcntl
import os
import pwd
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.launch import Channel, LaunchPlan, Stdio
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import OutputQuery
from cvec_circus_core.policy.launch import SpawnEnvironment, prepare
from cvec_circus_core.runtime.streams.outputs import close_outputs
from cvec_circus_core.system.processes.pipes import pipes
from tests.streams.test_reading import Desk, no_descriptor_left, run, until, write_and_close

SIZE = 65_536
ALL = OutputQuery(lines=1000)


@contextmanager
def standard(number: int, fd: int) -> Iterator[None]:
    """Have a standard descriptor lead elsewhere."""
    kept = os.dup(number)
    os.dup2(fd, number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


def ended(desk: Desk) -> bool:
    """Tell whether every pipe is closed."""
    return not any(map(len, desk.world.outputs.kept.values()))


def lines(desk: Desk, query: OutputQuery = ALL) -> list[tuple[int, str, bytes]]:
    """Return the lines that are remembered."""
    return [(line.pid, line.channel, line.data) for line in desk.streams.recent_lines(query)]


def test_it_is_passed_on_as_it_came_and_remembered(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    data = [b"one\nhalf", b" line\n", bytes(range(256)), b"\xff no end"]

    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        out, err = desk.begin(1)
        for piece in data:
            before = sum(view.end for view in desk.streams.recent("stdout", 0))
            os.write(out, piece)
            await until(
                lambda before=before: (  # type: ignore[misc]
                    sum(view.end for view in desk.streams.recent("stdout", 0)) > before
                )
            )
        os.write(err, b"trouble\n")
        await until(lambda: desk.streams.recent("stderr", 1))
        assert lines(desk)[0] == (1, "stdout", b"one\n")
        assert lines(desk)[-1] == (1, "stderr", b"trouble\n")
        os.close(out)
        os.close(err)
        await until(lambda: ended(desk))
        assert desk.streams.recent("stdout", 1)[0].ended
        await close_outputs(desk.world.outputs, 5.0)

    run(test)
    assert capfdbinary.readouterr() == (b"".join(data), b"trouble\n")


def test_where_both_have_something_standard_output_comes_first() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        out, err = desk.begin(1)
        for number in range(20):
            # Which of the two the loop hears of first is up to the kernel.
            for fd in (out, err) if number % 2 else (err, out):
                os.write(fd, b"%d\n" % number)
            await until(lambda number=number: len(lines(desk)) == 2 * (number + 1))  # type: ignore[misc]
        assert [channel for _, channel, _ in lines(desk)] == ["stdout", "stderr"] * 20
        os.close(out)
        os.close(err)
        await until(lambda: ended(desk))
        await close_outputs(desk.world.outputs, 5.0)

    run(test)


def test_lines_of_several_are_told_in_the_order_in_which_they_came() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        ends = [*desk.begin(1, 1), *desk.begin(2, 2)]
        wanted = []
        for number in range(40):
            place = number * 7 % 4
            os.write(ends[place], text := b"%d\n" % number)
            wanted.append((place // 2 + 1, ("stdout", "stderr")[place % 2], text))
            await until(lambda: lines(desk) == wanted)
        assert lines(desk, OutputQuery(lines=2)) == wanted[-4:]
        assert (
            lines(desk, OutputQuery(channels=("stderr",), wid=2, lines=3))
            == [line for line in wanted if line[:2] == (2, "stderr")][-3:]
        )
        assert lines(desk, OutputQuery(text="9", lines=100)) == [
            line for line in wanted if b"9" in line[2]
        ]
        assert lines(desk, OutputQuery(since=desk.world.clock.wall() + 1)) == []
        for end in ends:
            os.close(end)
        await until(lambda: ended(desk))
        await close_outputs(desk.world.outputs, 5.0)

    with open(os.devnull, "wb") as null, standard(1, null.fileno()), standard(2, null.fileno()):
        run(test)


def test_only_the_last_is_kept() -> None:
    async def test() -> None:
        desk = Desk(keep_output=100)
        out, err = desk.begin(1)
        writer = threading.Thread(target=partial(write_and_close, out, b"0123456789\n" * 20_000))
        writer.start()
        await until(lambda: sum(view.end for view in desk.streams.recent("stdout", 0)) == 220_000)
        assert lines(desk) == [(1, "stdout", b"0123456789\n")] * 9
        writer.join()
        os.close(err)
        await until(lambda: ended(desk))
        await close_outputs(desk.world.outputs, 5.0)

    with open(os.devnull, "wb") as null, standard(1, null.fileno()):
        run(test)


def test_a_standard_output_that_hangs_makes_its_writers_wait_and_nobody_else() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        out, err = desk.begin(1)
        data = b"".join(b"%07d\n" % number for number in range(400_000))
        writer = threading.Thread(target=partial(write_and_close, out, data))
        writer.start()
        # Nobody reads, and the loop goes on.
        await until(lambda: desk.world.outputs.kept["stdout"].writer.is_full)
        os.write(err, b"still here\n")
        await until(lambda: desk.streams.recent("stderr", 1))
        received: list[bytes] = []

        def read() -> None:
            while sum(map(len, received)) < len(data):
                received.append(os.read(reading, 65536))

        reader = threading.Thread(target=read)
        reader.start()
        await until(lambda: not reader.is_alive())
        assert b"".join(received) == data
        os.close(err)
        writer.join()
        await until(lambda: ended(desk))
        await close_outputs(desk.world.outputs, 5.0)

    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with open(os.devnull, "wb") as null, standard(1, writing), standard(2, null.fileno()):
        run(test)
    os.close(reading)
    os.close(writing)


def test_the_end_takes_what_is_left(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        out, err = desk.begin(1)
        os.write(out, b"x" * 60_000)
        await close_outputs(desk.world.outputs, 5.0)
        with pytest.raises(BrokenPipeError):
            os.write(out, b"more")
        os.close(out)
        os.close(err)

    run(test)
    assert capfdbinary.readouterr().out == b"x" * 60_000


def test_nothing_is_kept_where_that_is_turned_off() -> None:
    async def test() -> None:
        desk = Desk(keep_output=0)
        assert desk.begin(1) == (-1, -1)
        with pytest.raises(BadMessage, match="has no stdout_stream, and keep_output = 0"):
            desk.streams.recent_lines(ALL)
        with pytest.raises(BadMessage, match="has no stderr_stream, and keep_output = 0"):
            desk.streams.recent("stderr", 1)

    run(test)


def test_without_descriptors_processes_start_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)

        def refuse(**_: object) -> tuple[int, int]:
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(pipes, "open", refuse)
            assert desk.begin(1) == (-1, -1)
        with monkeypatch.context() as patch:
            patch.setattr(pipes, "count", 1 << 40)
            assert desk.begin(1) == (-1, -1)
        for end in desk.begin(2):
            os.close(end)
        await until(lambda: ended(desk))

    run(test)


def test_what_goes_nowhere_is_not_kept() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        nowhere = LaunchPlan(argv=("x",), env={}, stdout=Channel.NULL, stderr=Channel.NULL)
        with desk.streams.open_pipes(1, nowhere) as process_pipes:
            assert process_pipes.stdio == Stdio()

    run(test)


def test_a_process_that_does_not_start_leaves_nothing() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        before = pipes.count
        async with no_descriptor_left():
            with desk.streams.open_pipes(1, LaunchPlan(argv=("x",), env={})):
                assert pipes.count == before + 2
        assert pipes.count == before

    run(test)


@pytest.mark.parametrize("keep", [0, SIZE])
def test_standard_error_in_the_pipe_of_standard_output(keep: int) -> None:
    async def test() -> None:
        desk = Desk(keep_output=keep, redirect_stderr=True)
        with desk.streams.open_pipes(1, LaunchPlan(argv=("x",), env={})) as process_pipes:
            stdio = process_pipes.stdio
            assert stdio.stderr == (stdio.stdout if keep else 1)
        nowhere = LaunchPlan(argv=("x",), env={}, stdout=Channel.NULL)
        with desk.streams.open_pipes(1, nowhere) as process_pipes:
            assert process_pipes.stdio == Stdio()

    run(test)


def test_standard_error_goes_nowhere_with_standard_output() -> None:
    spec = WatcherSpec(name="web", cmd="x", redirect_stderr=True, close_child_stdout=True)
    plan = prepare(spec, SpawnEnvironment()).for_slot(1)
    assert plan.stderr is Channel.NULL


def test_both_channels_in_one_pipe_keep_their_order(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE, redirect_stderr=True)
        out, err = desk.begin(1)
        for number in range(100):
            os.write((out, err)[number % 2], b"%d\n" % number)
        os.close(out)
        os.close(err)
        await until(lambda: ended(desk))
        assert lines(desk) == [(1, "stdout", b"%d\n" % number) for number in range(100)]
        await close_outputs(desk.world.outputs, 5.0)

    run(test)
    text = b"".join(b"%d\n" % number for number in range(100))
    assert capfdbinary.readouterr() == (text, b"")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives pipes away")
@pytest.mark.parametrize("settings", [{"keep_output": SIZE}, {"stdout_stream": {"class": "x"}}])
def test_a_process_of_another_user_can_open_its_standard_output(settings: dict[str, Any]) -> None:
    async def test() -> None:
        if "stdout_stream" in settings:
            settings["stdout_stream"] = {"stream": lambda data: None}
        desk = Desk(**settings)
        plan = LaunchPlan(argv=("x",), env={}, uid="nobody")
        with desk.streams.open_pipes(1, plan) as process_pipes:
            stdout = process_pipes.stdio.stdout
            assert stdout is not None
            assert os.fstat(stdout).st_uid == pwd.getpwnam("nobody").pw_uid
        with desk.streams.open_pipes(1, plan._replace(uid="no such user")):
            pass  # the spawn will tell

    run(test)


def test_turning_it_off_and_streams_take_new_processes() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        ends = desk.begin(1)
        assert desk.change(keep_output=SIZE, stdout_stream={"stream": lambda data: None})
        for end in ends:
            os.close(end)
        await until(lambda: ended(desk))

    run(test)


def test_the_last_words_of_one_that_has_ended_cost_the_others_nothing(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        (out, err), (other_out, other_err) = desk.begin(1, 1), desk.begin(2, 2)
        os.write(other_out, b"something\n")
        os.write(out, b"last words\n")
        os.close(other_err)
        assert desk.streams.last_output(1) == b"last words\n"
        await until(lambda: lines(desk, OutputQuery(wid=2)) == [(2, "stdout", b"something\n")])
        os.write(other_out, b"more\n")
        await until(lambda: len(lines(desk, OutputQuery(wid=2))) == 2)
        for end in (out, err, other_out):
            os.close(end)
        await until(lambda: ended(desk))
        await close_outputs(desk.world.outputs, 5.0)

    run(test)
    assert sorted(capfdbinary.readouterr().out.splitlines()) == [
        *(b"last words", b"more", b"something")
    ]


def test_last_words_that_were_noted_and_not_read_yet_are_known() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        out, err = desk.begin(1)
        other_out, other_err = desk.begin(2, 2)
        os.write(out, b"last words\n")
        # Another one's end has the pipes noted; their turn comes later.
        assert desk.streams.last_output(2) == b""
        assert desk.streams.last_output(1) == b"last words\n"
        for end in (out, err, other_out, other_err):
            os.close(end)
        await until(lambda: ended(desk))
        await close_outputs(desk.world.outputs, 5.0)

    with open(os.devnull, "wb") as null, standard(1, null.fileno()):
        run(test)


def test_many_silent_pipes_leave_our_table_and_their_last_words_are_kept(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    count = 100

    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        before = len(os.listdir("/proc/self/fd"))
        begun = [desk.begin(pid, pid) for pid in range(1, count + 1)]
        held = len(os.listdir("/proc/self/fd")) - before - 2 * count
        assert sum(map(len, desk.world.outputs.kept.values())) == 2 * count
        assert held < count
        for pid, (out, _) in enumerate(begun, 1):
            os.write(out, b"words of %d\n" % pid)
        await until(lambda: len(lines(desk)) == count)
        assert {(pid, data) for pid, _, data in lines(desk)} == {
            (pid, b"words of %d\n" % pid) for pid in range(1, count + 1)
        }
        for out, err in begun[: count // 2]:
            os.close(out)
            os.close(err)
        await until(lambda: sum(map(len, desk.world.outputs.kept.values())) == count)
        assert pipes.count >= count
        # The others are held by somebody else: all is closed at the end, no matter who.
        os.write(begun[-1][1], b"last\n")
        await close_outputs(desk.world.outputs, 5.0)
        assert ended(desk)
        for out, err in begun[count // 2 :]:
            os.close(out)
            os.close(err)

    run(test)
    assert capfdbinary.readouterr()[1] == b"last\n"


def test_one_process_is_caught_up_with_though_its_pipe_was_put_away() -> None:
    async def test() -> None:
        desk = Desk(keep_output=SIZE)
        begun = [desk.begin(pid, pid) for pid in range(1, 101)]
        os.write(begun[0][1], b"why\n")
        assert desk.streams.last_output(1) == b"why\n"
        for ends in begun:
            for end in ends:
                os.close(end)
        await until(lambda: ended(desk))

    run(test)
