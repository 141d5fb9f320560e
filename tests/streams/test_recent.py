"""The last output of a watcher's processes: one ring, byte for byte, in order."""

from __future__ import annotations

import random

import pytest

from cvec_circus_core.model.views import OutputQuery
from cvec_circus_core.runtime.streams.recent_output import RecentOutput, WatcherRecentOutput

LIMIT = 64 * 1024
ALL = OutputQuery(lines=100_000)


def output_of(*pieces: bytes) -> WatcherRecentOutput:
    """Return what is remembered of one process that has written these."""
    output = WatcherRecentOutput()
    recent = output.begin(1, 7, "stdout")
    for piece in pieces:
        output.note(recent, piece, LIMIT)
    return output


def last(output: WatcherRecentOutput, lines: int) -> bytes:
    """Return the last lines of the only process."""
    return b"".join(view.data for view in output.views("stdout", lines))


def kept_bytes(output: WatcherRecentOutput, recents: list[RecentOutput]) -> int:
    """Return how many bytes of these are remembered."""
    return sum(recent.size for recent in recents)


@pytest.mark.parametrize(
    ("pieces", "lines", "text"),
    [
        ((b"one\ntwo\nthree\n",), 2, b"two\nthree\n"),
        ((b"one\ntwo\nthree",), 2, b"two\nthree"),
        ((b"one\n", b"two\n"), 9, b"one\ntwo\n"),
        ((b"o", b"ne\nt", b"wo"), 1, b"two"),
        ((b"one\n\n",), 1, b"\n"),
        ((b"one\n",), 0, b""),
        ((b"one",), 0, b""),
        ((), 3, b""),
        ((b"x" * (2 * LIMIT), b"\nend\n"), 9, b"end\n"),
        ((b"\n" + b"x" * LIMIT + b"\nend\n",), 9, b"end\n"),
        ((b"x" * (2 * LIMIT) + b" end\n",), 9, b"x" * (LIMIT - 5) + b" end\n"),
        ((b"x" * (2 * LIMIT) + b" end",), 9, b"x" * (LIMIT - 4) + b" end"),
    ],
)
def test_last_lines(pieces: tuple[bytes, ...], lines: int, text: bytes) -> None:
    output = output_of(*pieces)
    assert last(output, lines) == text
    assert output.last_of(7, lines) == text
    query = OutputQuery(lines=lines, pid=7)
    assert b"".join(line.data for line in output.lines(query)) == text
    assert output.lines(OutputQuery(pid=8)) == []


@pytest.mark.parametrize("size", [1, 100, 5000, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT])
def test_holds_the_end_of_it_and_no_more(size: int) -> None:
    text = b"".join(b"%07d\n" % number for number in range(4 * LIMIT // 8))
    output = output_of(*(text[at : at + size] for at in range(0, len(text), size)))
    (view,) = output.views("stdout", 100_000)
    assert view.end == len(text)
    assert view.data == text[-LIMIT:]
    assert last(output, 100) == text[-800:]


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_is_of_all_processes_and_channels_together(seed: int) -> None:
    chance, output, limit = random.Random(seed), WatcherRecentOutput(), 5000
    recents = [
        output.begin(wid, 100 + wid, channel)
        for wid in range(1, 4)
        for channel in ("stdout", "stderr")
    ]
    written: list[tuple[RecentOutput, bytes]] = []
    for number in range(2000):
        recent = chance.choice(recents)
        data = b"%d %s\n" % (number, b"x" * chance.randrange(90))
        written.append((recent, data))
        output.note(recent, data, limit, time=number / 50)
        assert kept_bytes(output, recents) == min(limit, sum(len(data) for _, data in written))
    size, expected = 0, []
    for recent, data in reversed(written):
        size += len(data)
        if size > limit:
            break
        expected.append((recent.pid, recent.channel, data))
    lines = [(line.pid, line.channel, line.data) for line in output.lines(ALL)]
    assert lines == expected[::-1]


def test_lines_are_in_order_by_where_they_began() -> None:
    output = WatcherRecentOutput()
    first, second = output.begin(1, 7, "stdout"), output.begin(2, 8, "stdout")
    for recent, data in ((first, b"a1 "), (second, b"b1\nb2"), (first, b"a1\n"), (second, b"\n")):
        output.note(recent, data, LIMIT)
    assert [line.data for line in output.lines(ALL)] == [b"a1 a1\n", b"b1\n", b"b2\n"]


def test_a_silent_process_is_pushed_out_by_one_that_writes() -> None:
    output = WatcherRecentOutput()
    silent, loud = output.begin(1, 7, "stdout"), output.begin(2, 8, "stdout")
    output.note(silent, b"hello\n", 1000)
    output.end(silent)
    output.note(loud, b"x" * 1000, 1000)
    assert [view.pid for view in output.views("stdout", 5)] == [8]
    assert output.last_of(7, 5) == b""


def test_without_room_nothing_is_kept_but_counted() -> None:
    output = WatcherRecentOutput()
    recent = output.begin(1, 7, "stdout")
    output.note(recent, b"hello\n", 0)
    assert (recent.end, recent.size, output.lines(ALL)) == (6, 0, [])
    output.note(recent, b"more\n", 100)
    output.note(recent, b"again\n", 100)
    assert [line.data for line in output.lines(ALL)] == [b"more\n", b"again\n"]


def test_last_words_are_kept_and_only_the_views_of_so_many() -> None:
    output = WatcherRecentOutput()
    for pid in range(1, 20):
        recent = output.begin(1, pid, "stdout")
        output.note(recent, b"%d\n" % pid, LIMIT)
        output.end(recent)
    views = output.views("stdout", 5)
    assert [(view.pid, view.ended) for view in views] == [
        (pid, True) for pid in range(20 - WatcherRecentOutput.ENDED, 20)
    ]
    assert [line.pid for line in output.lines(ALL)] == list(range(1, 20))


def test_a_number_that_comes_again_is_another_process() -> None:
    output = WatcherRecentOutput()
    first = output.begin(1, 7, "stdout")
    output.note(first, b"one\n", LIMIT)
    output.end(first)
    output.note(output.begin(2, 7, "stdout"), b"two\n", LIMIT)
    assert [(view.wid, view.data) for view in output.views("stdout", 5)] == [(2, b"two\n")]
    assert [line.data for line in output.lines(ALL)] == [b"one\n", b"two\n"]


def test_who_said_nothing_is_not_listed() -> None:
    output = WatcherRecentOutput()
    silent = output.begin(1, 7, "stdout")
    output.note(output.begin(1, 7, "stderr"), b"oops\n", LIMIT)
    assert not output.views("stdout", 5)
    assert [view.data for view in output.views("stderr", 5)] == [b"oops\n"]
    output.end(silent)
    assert not output.views("stdout", 5)
