"""Older output out of the files of a stream: where it goes on, and what is never read."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from cvec_circus_core.api import BadMessage
from cvec_circus_plugins.httpd.output_files import (
    LINES,
    View,
    _lines,
    check_same_user,
    file_of,
    read_older,
)


def written(file: Path, first: int, last: int) -> Path:
    """Write numbered lines to a file."""
    file.write_text("".join(f"line {number}\n" for number in range(first, last)))
    return file


def everything(path: Path, view: View) -> list[str]:
    """Return all lines that are older than what a page shows, oldest first."""
    piece = read_older(str(path), None, view)
    lines = list(piece.lines)
    while piece.cursor is not None:
        piece = read_older(str(path), piece.cursor, view)
        lines = [*piece.lines, *lines]
    return lines


def numbered(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last)]


class TestWhereItGoesOn:
    @pytest.mark.parametrize("count", [1, LINES, LINES + 1, 3 * LINES + 7])
    def test_before_what_is_shown_to_the_beginning(self, tmp_path: Path, count: int) -> None:
        file = written(tmp_path / "log", 0, count)
        assert everything(file, View(0)) == numbered(0, count)

    def test_lines_that_a_page_shows_are_left_out(self, tmp_path: Path) -> None:
        file = written(tmp_path / "log", 0, 100)
        assert everything(file, View(30, "line 70")) == numbered(0, 70)

    def test_lines_that_came_meanwhile_do_not_shift_it(self, tmp_path: Path) -> None:
        file = written(tmp_path / "log", 0, 120)
        assert everything(file, View(30, "line 70")) == numbered(0, 70)

    def test_a_time_before_each_line_does_not_matter(self, tmp_path: Path) -> None:
        file = tmp_path / "log"
        file.write_text("".join(f"2030-01-01 [7] | line {number}\n" for number in range(50)))
        assert everything(file, View(10, "line 40"))[-1].endswith("line 39")

    def test_into_older_files_also_packed_ones(self, tmp_path: Path) -> None:
        packed = tmp_path / "log.2.gz"
        packed.write_bytes(gzip.compress("".join(f"line {n}\n" for n in range(600)).encode()))
        os.utime(packed, (1, 1))
        os.utime(written(tmp_path / "log.1", 600, 800), (2, 2))
        file = written(tmp_path / "log", 800, 900)
        written(tmp_path / "logger", 0, 3)
        assert everything(file, View(0)) == numbered(0, 900)

    def test_a_rotation_between_two_pieces(self, tmp_path: Path) -> None:
        file = written(tmp_path / "log", 0, 2 * LINES)
        piece = read_older(str(file), None, View(0))
        file.rename(tmp_path / "log.1")
        written(tmp_path / "log", 5000, 5010)
        older = read_older(str(file), piece.cursor, View(0))
        assert [*older.lines, *piece.lines] == numbered(0, 2 * LINES)

    @pytest.mark.parametrize("cursor", ["", "x", "1-2", "-", "99999-", "1-" + "9" * 30])
    def test_a_made_up_place_tells_nothing(self, tmp_path: Path, cursor: str) -> None:
        file = written(tmp_path / "log", 0, 5)
        assert read_older(str(file), cursor, View(0)).lines == ()


class TestWhatIsNeverRead:
    def test_what_is_no_plain_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "log")
        with pytest.raises(BadMessage, match="plain file"):
            read_older(str(tmp_path / "log"), None, View())

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BadMessage, match="can not be read"):
            read_older(str(tmp_path / "log"), None, View())

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
    def test_a_link_that_another_user_has_put_there(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("secret\n")
        folder = tmp_path / "logs"
        folder.mkdir()
        (folder / "log").symlink_to(secret)
        os.chown(folder, 65534, 65534)
        os.lchown(folder / "log", 65534, 65534)
        with pytest.raises(BadMessage, match="symbolic link"):
            read_older(str(folder / "log"), None, View())

    def test_beside_no_daemon_nothing(self) -> None:
        with pytest.raises(BadMessage, match="beside the daemon"):
            check_same_user("tcp://192.0.2.1:5555")
        with pytest.raises(BadMessage, match="beside the daemon"):
            check_same_user("ipc:///nobody/listens/here")


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ({"stdout_stream_conf": {"class": "FileStream", "filename": "/var/log/a"}}, "/var/log/a"),
        ({"stdout_stream_conf": {"class": "FileStream", "filename": "a"}}, None),
        ({"stdout_stream_conf": {"class": "StdoutStream"}}, None),
        ({"stdout_stream_conf": "FileStream"}, None),
        ({}, None),
    ],
)
def test_the_file_of_a_channel(options: dict[str, object], file: str | None) -> None:
    assert file_of(options, "stdout") == file


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb", [b"a\n", b"b"]),
        (b"10 %\r20 %\r30 %\ndone\n", [b"10 %\r20 %\r30 %\n", b"done\n"]),
        ("a\u2028b\x0bc\x0cd\x85\n".encode(), ["a\u2028b\x0bc\x0cd\x85\n".encode()]),
    ],
)
def test_lines_end_at_line_feeds_alone(data: bytes, lines: list[bytes]) -> None:
    assert _lines(data) == lines
