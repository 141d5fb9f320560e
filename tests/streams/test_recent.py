"""The last output of processes: bounded per process, and all together."""

from __future__ import annotations

import pytest

from cvec_circus_core.runtime.streams.recent_output import (
    KEPT,
    OutputMemory,
    RecentOutput,
    WatcherRecentOutput,
)


def recent_of(*pieces: bytes) -> RecentOutput:
    """Return what is remembered of these."""
    recent = RecentOutput(1, 7, "stdout")
    for piece in pieces:
        recent.append(piece)
    return recent


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
        ((b"x" * (2 * KEPT), b"\nend\n"), 9, b"end\n"),
        ((b"\n" + b"x" * KEPT + b"\nend\n",), 9, b"end\n"),
    ],
)
def test_last_lines(pieces: tuple[bytes, ...], lines: int, text: bytes) -> None:
    assert recent_of(*pieces).last(lines) == text


@pytest.mark.parametrize("size", [1, 100, 5000, KEPT - 1, KEPT, KEPT + 1, 3 * KEPT])
def test_holds_the_end_of_it_and_no_more(size: int) -> None:
    text = b"".join(b"%07d\n" % number for number in range(4 * KEPT // 8))
    recent = recent_of(*(text[at : at + size] for at in range(0, len(text), size)))
    assert recent.end == len(text)
    assert KEPT <= recent.size < 2 * KEPT
    assert text.endswith(recent.last(10_000))
    assert recent.last(100) == text[-800:]


def test_the_silent_are_forgotten_first() -> None:
    memory = OutputMemory(allowance=10_000)
    owner = WatcherRecentOutput(memory)
    every = [owner.begin(wid, 100 + wid, "stdout") for wid in range(1, 5)]
    for one in every:
        owner.note(one, b"x" * 2000 + b"\n")
    owner.note(every[0], b"again\n")
    assert [view.wid for view in owner.views("stdout", 1)] == [1, 3, 4]
    assert memory.used <= 10_000
    owner.note(every[1], b"cut\nback\n")
    assert [view.data for view in owner.views("stdout", 1, wid=2)] == [b"back\n"]
    owner.clear()
    assert memory.used == 0


def test_last_words_are_kept_and_only_so_many() -> None:
    owner = WatcherRecentOutput(OutputMemory())
    for pid in range(1, 20):
        recent = owner.begin(1, pid, "stdout")
        owner.note(recent, b"%d\n" % pid)
        owner.end(recent)
    views = owner.views("stdout", 5)
    assert [(view.pid, view.ended) for view in views] == [
        (pid, True) for pid in range(20 - WatcherRecentOutput.ENDED, 20)
    ]


def test_a_number_that_comes_again_is_another_process() -> None:
    owner = WatcherRecentOutput(OutputMemory())
    first = owner.begin(1, 7, "stdout")
    owner.note(first, b"one\n")
    owner.end(first)
    owner.note(owner.begin(2, 7, "stdout"), b"two\n")
    assert [(view.wid, view.data) for view in owner.views("stdout", 5)] == [(2, b"two\n")]


def test_who_said_nothing_is_not_listed() -> None:
    owner = WatcherRecentOutput(OutputMemory())
    silent = owner.begin(1, 7, "stdout")
    owner.note(owner.begin(1, 7, "stderr"), b"oops\n")
    assert not owner.views("stdout", 5)
    assert [view.data for view in owner.views("stderr", 5)] == [b"oops\n"]
    owner.end(silent)
