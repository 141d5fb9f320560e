"""What a killed daemon has read and not written is written once, and in its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.system import output_journal as areas
from cvec_circus_core.system.output_journal import Area, OutputJournal
from cvec_circus_core.system.output_records import PipeRecord, SinkRecord
from tests.keeper.journal import STREAMS, kill_a_stream

KEY = b"web\x001\x002\0stdout"


class Daemons:
    """A journal and a pipe that outlive those who use them."""

    def __init__(self) -> None:
        self.journal = OutputJournal.new()
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def die(self) -> None:
        """Let another daemon go on with the journal."""
        self.journal = OutputJournal.inherited(self.journal.descriptor)

    def pipe(self) -> PipeRecord:
        """Read the pipe."""
        return PipeRecord(self.journal, KEY)

    def areas(self) -> list[Area]:
        """Return those that are in use."""
        numbers = range(self.journal.count)
        each = [Area(self.journal.descriptor, number) for number in numbers]
        return [area for area in each if area.state != areas.FREE]

    def close(self) -> None:
        """Give everything back."""
        for number in (self.journal.descriptor, self.reading, self.writing):
            os.close(number)


@pytest.fixture
def daemons() -> Iterator[Daemons]:
    each = Daemons()
    yield each
    each.close()


def test_what_was_read_and_not_taken_is_left(daemons: Daemons) -> None:
    os.write(daemons.writing, b"one\ntwo\nthr")
    pipe = daemons.pipe()
    assert pipe.read(daemons.reading, 100) == b"one\ntwo\nthr"
    pipe.give(4).done()
    daemons.die()
    assert daemons.pipe().left(daemons.reading) == b"two\nthr"


def test_what_was_taken_is_forgotten_and_the_area_free(daemons: Daemons) -> None:
    os.write(daemons.writing, b"one\n")
    pipe = daemons.pipe()
    pipe.give(len(pipe.read(daemons.reading, 100))).done()
    assert daemons.areas() == []
    daemons.die()
    assert daemons.pipe().left(daemons.reading) == b""


def test_more_than_an_area_goes_through(daemons: Daemons) -> None:
    pipe, piece, total = daemons.pipe(), b"x" * 50_000, 0
    pipe_rest = b""
    for _ in range(3 * areas.ROOM // len(piece)):
        os.write(daemons.writing, piece)
        size = len(pipe.read(daemons.reading, 1 << 16))
        pipe.give(size - (total == 0)).done()
        total += size
        pipe_rest = b"x"
    daemons.die()
    assert daemons.pipe().left(daemons.reading) == pipe_rest


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize("text", [b"a", b"line\n", b"a longer line of text\n" * 10])
def test_a_read_that_was_interrupted_has_happened_or_not(
    daemons: Daemons, text: bytes, is_read: bool
) -> None:
    os.write(daemons.writing, text)
    area = daemons.journal.acquire()
    area.begin(areas.PIPE, KEY, 7, 0, 0)
    room = area.expect(len(text))
    if is_read:
        os.readv(daemons.reading, [room])
        os.write(daemons.writing, b"what came later")
    daemons.die()
    pipe = daemons.pipe()
    assert pipe.left(daemons.reading) == (text if is_read else b"")
    rest = b"what came later" if is_read else text
    assert pipe.read(daemons.reading, 1000) == rest


def test_the_end_of_a_pipe_is_told(daemons: Daemons) -> None:
    pipe = daemons.pipe()
    with pytest.raises(BlockingIOError):
        pipe.read(daemons.reading, 10)
    os.write(daemons.writing, b"last")
    os.close(daemons.writing)
    daemons.writing = os.open(os.devnull, os.O_RDONLY)
    assert pipe.read(daemons.reading, 10) == b"last"
    assert pipe.read(daemons.reading, 10) == b""


@pytest.mark.parametrize("written", [0, 3, 9])
@pytest.mark.parametrize("is_rotated", [False, True])
@pytest.mark.parametrize("others", [b"", b"of another\n"])
def test_the_rest_of_a_write_is_known(
    daemons: Daemons, tmp_path: Path, written: int, is_rotated: bool, others: bytes
) -> None:
    if others and written == 3:
        return  # Then it can not be known.
    pipe, sink, file = daemons.pipe(), SinkRecord(daemons.journal, b"sink"), tmp_path / "out"
    os.write(daemons.writing, b"some text")
    sink.source = pipe.give(len(pipe.read(daemons.reading, 100)))
    with file.open("ab") as out:
        out.write(b"before\n")
        out.flush()
        sink.begin(b"some text")
        sink.appending(str(file), out.fileno(), 9)
        out.write(b"some text"[:written] + others)
    if is_rotated:
        file.rename(tmp_path / "out.1")
        file.touch()
    daemons.die()
    assert SinkRecord(daemons.journal, b"sink").rest() == b"some text"[written:]
    # It is on its way to the file, so the pipe has it no longer.
    assert daemons.pipe().left(daemons.reading) == b""


def test_a_journal_of_another_form_is_refused() -> None:
    number = os.memfd_create("test")
    try:
        os.write(number, b"circus output 99\n")
        with pytest.raises(ValueError, match="is of another form"):
            OutputJournal.inherited(number)
    finally:
        os.close(number)


@pytest.mark.live
@pytest.mark.parametrize("kind", STREAMS)
def test_every_line_is_there_once_however_often_the_reader_is_killed(
    kind: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {**STREAMS[kind], "filename": str(tmp_path / "out.log")}
    lines, problems = kill_a_stream(settings, kills=12)
    assert problems == []
    assert lines > 0
