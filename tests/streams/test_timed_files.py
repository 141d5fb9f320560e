"""TimedRotatingFileStream: periods by the calendar, with the time given by hand."""

from __future__ import annotations

import gzip
import logging.handlers
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cvec_circus_core.api import Fault
from cvec_circus_core.system.fakes import FakeClock
from cvec_circus_plugins.streams._calendar import WHENS, Calendar
from cvec_circus_plugins.streams.timed_file import TimedRotatingFileStream
from tests.streams.pieces import piece

DAY = 86400.0
START = datetime(2024, 3, 5, 12, 34, 56, tzinfo=UTC).timestamp()  # a Tuesday


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Live in one time zone after another."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def stream_at(path: Path, when: str, **options: object) -> TimedRotatingFileStream:
    """Return a stream of UTC periods."""
    given = {"filename": str(path), "rotate_when": when, "utc": "yes", **options}
    return TimedRotatingFileStream(**given)  # type: ignore[arg-type]


def files(path: Path) -> dict[str, bytes]:
    """Return the contents of all files."""
    return {one.name: one.read_bytes() for one in path.parent.iterdir()}


@pytest.mark.parametrize("when", [when for when in WHENS if when != "D"])
@pytest.mark.parametrize("day", range(0, 366, 26))
def test_periods_end_where_those_of_logging_do(
    tmp_path: Path, zone: str, when: str, day: int
) -> None:
    """The older streams took their periods from the standard library."""
    after = START + day * DAY + day * 777
    handler = logging.handlers.TimedRotatingFileHandler(tmp_path / "x", when=when, delay=True)
    assert Calendar(when, 1, utc=False).next(after) == handler.computeRollover(int(after))


def test_a_day_is_a_day_of_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    before = datetime(2024, 3, 30, 12).timestamp()
    assert Calendar("D", 1, utc=False).next(before) == before + 23 * 3600
    assert Calendar("D", 1, utc=True).next(before) == before + 24 * 3600
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("when", "pause", "name"),
    [
        ("s", 1, "20240305123456"),
        ("M", 60, "202403051234"),
        ("h", 3600, "2024030512"),
        ("d", DAY, "20240305"),
        ("midnight", DAY, "20240305"),
        ("Midnight", 12 * 3600, "20240305"),
        ("w1", DAY, "20240228"),
        ("W0", 7 * DAY, "20240305"),
    ],
)
def test_old_files_are_named_by_their_beginning(
    tmp_path: Path, when: str, pause: float, name: str
) -> None:
    path = tmp_path / "out.log"
    stream = stream_at(path, when)
    stream(piece(b"one\n", at=START))
    stream(piece(b"two\n", at=START + pause - 0.1 if when in "sMhd" else START + 1))
    stream(piece(b"three\n", at=START + pause))
    assert files(path) == {"out.log": b"three\n", f"out.log.{name}": b"one\ntwo\n"}


def test_the_interval_multiplies(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    stream = stream_at(path, "M", rotate_interval="5")
    for minute in (0, 4.9, 5):
        stream(piece(b"%d\n" % minute, at=START + 60 * minute))
    assert files(path) == {"out.log": b"5\n", "out.log.202403051234": b"0\n4\n"}


def test_silence_makes_no_files(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    stream = stream_at(path, "S")
    stream(piece(b"one\n", at=START))
    stream(piece(b"two\n", at=START + 500))
    stream(piece(b"three\n", at=START + 500.5))
    assert files(path) == {"out.log": b"two\nthree\n", "out.log.20240305123456": b"one\n"}


@pytest.mark.parametrize("packed", [False, True])
def test_only_so_many_old_files_are_kept(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "out.log"
    (tmp_path / "out.log.notes").write_bytes(b"not ours")
    stream = stream_at(path, "S", backup_count=2, gzip=packed)
    for second in range(6):
        stream(piece(b"%d\n" % second, at=START + second))
    end = ".gz" if packed else ""
    names = ["out.log", f"out.log.20240305123459{end}", f"out.log.20240305123500{end}"]
    assert sorted(files(path)) == [*names, "out.log.notes"]
    kept = files(path)[names[1]]
    assert (gzip.decompress(kept) if packed else kept) == b"3\n"


def test_a_name_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = stream_at(Path("out.log"), "S", backup_count=1)
    for second in range(4):
        stream(piece(b"x\n", at=START + second))
    assert sorted(os.listdir()) == ["out.log", "out.log.20240305123458"]


@pytest.mark.parametrize(("when", "seconds"), [("S", 1), ("M", 60), ("H", 3600)])
def test_a_clock_that_goes_back_makes_no_period_longer(
    tmp_path: Path, when: str, seconds: int
) -> None:
    path = tmp_path / "out.log"
    stream = stream_at(path, when)
    clock = FakeClock()
    stream._clock = clock  # type: ignore[assignment]
    stream(piece(b"one\n", at=START))
    back = START - DAY
    clock.advance(seconds / 2)
    stream(piece(b"two\n", at=back))
    assert path.read_bytes() == b"one\ntwo\n"
    clock.advance(seconds / 2)
    stream(piece(b"three\n", at=back + seconds / 2))
    assert path.read_bytes() == b"three\n"
    clock.advance(seconds)
    stream(piece(b"four\n", at=back + seconds / 2 + seconds))
    assert path.read_bytes() == b"four\n"


def test_a_file_that_was_begun_in_the_future_is_rotated_in_time(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_bytes(b"old\n")
    os.utime(path, (START + DAY, START + DAY))
    stream = stream_at(path, "M")
    clock = FakeClock()
    stream._clock = clock  # type: ignore[assignment]
    stream(piece(b"one\n", at=START))
    clock.advance(60)
    stream(piece(b"two\n", at=START + 60))
    assert path.read_bytes() == b"two\n"


@pytest.mark.parametrize("when", ["D", "midnight", "W1", "W6"])
@pytest.mark.parametrize("back", [4 * 365 * DAY, 30 * DAY, 10 * DAY])
def test_a_day_does_not_last_until_a_clock_that_was_set_back_is_there_again(
    tmp_path: Path, when: str, back: float
) -> None:
    file = tmp_path / "log"
    stream = stream_at(file, when)
    stream.open()
    stream(piece(b"future\n", at=START + back))
    stream(piece(b"now\n", at=START))
    assert len(files(file)) == 1, "no period is over"
    stream(piece(b"next\n", at=START + (8 * DAY if when.startswith("W") else DAY)))
    stream.close()
    assert sorted(files(file).values()) == [b"future\nnow\n", b"next\n"]


@pytest.mark.parametrize("when", ["D", "midnight", "W3"])
def test_a_day_whose_file_was_changed_in_the_future_ends(tmp_path: Path, when: str) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"future\n")
    os.utime(file, (START + 900 * DAY,) * 2)
    stream = stream_at(file, when)
    stream.open()
    stream(piece(b"now\n", at=START))
    stream(piece(b"next\n", at=START + 8 * DAY))
    stream.close()
    assert file.read_bytes() == b"next\n"


@pytest.mark.parametrize("when", ["D", "midnight"])
def test_a_small_step_back_rotates_once(tmp_path: Path, when: str) -> None:
    file = tmp_path / "log"
    stream = stream_at(file, when)
    stream.open()
    for at in (0, DAY, DAY - 3600, DAY + 60, 2 * DAY - 7200, DAY + 5):
        stream(piece(b"x\n", at=START + at))
    stream.close()
    assert len(files(file)) <= 3


def test_a_clock_that_goes_back_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    (tmp_path / "out.log.20240305123456").write_bytes(b"first\n")
    stream = stream_at(path, "S")
    stream(piece(b"one\n", at=START))
    stream(piece(b"two\n", at=START + 1))
    assert files(path) == {
        "out.log": b"two\n",
        "out.log.20240305123456": b"first\n",
        "out.log.20240305123456.1": b"one\n",
    }


def test_the_first_period_counts_from_the_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_bytes(b"yesterday\n")
    os.utime(path, (START - DAY, START - DAY))
    stream_at(path, "midnight")(piece(b"today\n", at=START))
    assert files(path) == {"out.log": b"today\n", "out.log.20240304": b"yesterday\n"}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "rotate_when is missing"),
        ({"rotate_when": "hourly"}, "rotate_when isn't a period"),
        ({"rotate_when": "W7"}, "rotate_when isn't a period"),
        ({"rotate_when": "H", "rotate_interval": "0"}, "rotate_interval isn't"),
        ({"rotate_when": "H", "utc": "maybe"}, "utc isn't a boolean"),
    ],
)
def test_mistakes_are_named(options: dict[str, str], fault: str) -> None:
    with pytest.raises(Fault, match=fault):
        TimedRotatingFileStream(filename="x", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "is_utc"), [("False", False), ("no", False), ("True", True)])
def test_false_in_a_file_is_false(text: str, is_utc: bool) -> None:
    stream = TimedRotatingFileStream(filename="x", rotate_when="H", utc=text)  # type: ignore[arg-type]
    assert stream.utc is is_utc
