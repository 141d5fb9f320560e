"""FileStream and WatchedFileStream: every byte once, in one of their files."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import pytest

from cvec_circus_core.api import Fault, SystemProblem
from cvec_circus_plugins.streams.file import FileStream
from cvec_circus_plugins.streams.watched_file import WatchedFileStream
from tests.streams.pieces import NOON, piece

ANY_BYTES = bytes(range(256)) * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is."""
    return tmp_path / "out.log"


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of all files, the oldest first."""
    found = []
    for one in sorted(path.parent.iterdir(), key=lambda one: (len(one.name), one.name)):
        number = one.name.removeprefix(path.name).removesuffix(".gz").removeprefix(".")
        data = gzip.decompress(one.read_bytes()) if one.suffix == ".gz" else one.read_bytes()
        found.append((-int(number or 0), data))
    return b"".join(data for _, data in sorted(found)).splitlines()


class TestPlain:
    """A file without anything else."""

    def test_bytes_are_unchanged(self, path: Path) -> None:
        path.write_bytes(b"before\n")
        stream = FileStream(filename=str(path))
        stream.open()
        for part in (b"one\n", ANY_BYTES, b"", b"no end"):
            stream(piece(part))
        stream.close()
        assert path.read_bytes() == b"before\none\n" + ANY_BYTES + b"no end"

    def test_opens_by_itself_and_again_after_its_end(self, path: Path) -> None:
        stream = FileStream(filename=str(path))
        stream(piece(b"one\n"))
        stream.close()
        stream.close()
        stream(piece(b"two\n"))
        assert path.read_bytes() == b"one\ntwo\n"

    def test_takes_a_piece_without_a_time(self, path: Path) -> None:
        FileStream(filename=str(path), time_format="%Y")({"pid": 1, "name": "x", "data": b"a\n"})
        assert path.read_bytes()[4:] == b" [1] | a\n"

    def test_without_a_name_it_makes_a_temporary_file(self) -> None:
        stream = FileStream()
        stream(piece(b"here\n"))
        assert stream.filename is not None
        assert Path(stream.filename).read_bytes() == b"here\n"
        os.remove(stream.filename)

    def test_a_file_that_can_not_be_opened_is_named(self, tmp_path: Path) -> None:
        stream = FileStream(filename=str(tmp_path / "no" / "where"))
        with pytest.raises(SystemProblem, match=r"no/where can not be opened: no such file"):
            stream.open()

    @pytest.mark.parametrize(("text", "mode"), [("600", 0o600), ("0644", 0o644), (0o620, 0o620)])
    def test_permissions(self, path: Path, text: object, mode: int) -> None:
        FileStream(filename=str(path), mode=text)(piece(b"x"))  # type: ignore[arg-type]
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    @pytest.mark.parametrize(
        ("owner", "ids"), [({"user": "nobody"}, (65534, 0)), ({"group": 12}, (0, 12))]
    )
    def test_owner(self, path: Path, owner: dict[str, str], ids: tuple[int, int]) -> None:
        FileStream(filename=str(path), **owner)(piece(b"x"))  # type: ignore[arg-type]
        assert (path.stat().st_uid, path.stat().st_gid) == ids

    def test_reopen_follows_a_move(self, path: Path) -> None:
        stream = FileStream(filename=str(path))
        stream(piece(b"one\n"))
        moved = path.rename(path.with_suffix(".old"))
        stream(piece(b"two\n"))
        stream.reopen()
        stream(piece(b"three\n"))
        assert (moved.read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")

    def test_a_full_disk_is_no_silence(self) -> None:
        stream = FileStream(filename="/dev/full")
        with pytest.raises(OSError, match="No space left"):
            stream(piece(b"x"))


class TestPrefix:
    """A prefix for every line, and for nothing else."""

    @pytest.mark.parametrize(
        ("pieces", "text"),
        [
            ([(1, b"a\n")], "T [1] | a\n"),
            ([(1, b"a\nb\n")], "T [1] | a\nT [1] | b\n"),
            ([(1, b"a"), (1, b"b\nc\n")], "T [1] | ab\nT [1] | c\n"),
            ([(1, b"a"), (2, b"b\n"), (1, b"c\n")], "T [1] | a\nT [2] | b\nT [1] | c\n"),
            ([(1, b"\n\n")], "T [1] | \nT [1] | \n"),
            ([(1, b""), (1, b"a")], "T [1] | a"),
        ],
    )
    def test_stands_before_every_line(
        self, path: Path, pieces: list[tuple[int, bytes]], text: str
    ) -> None:
        stream = FileStream(filename=str(path), time_format="T")
        for pid, data in pieces:
            stream(piece(data, pid))
        assert path.read_text() == text

    def test_bytes_that_are_no_text_stay(self, path: Path) -> None:
        FileStream(filename=str(path), time_format="T")(piece(b"\xff\xfe\n"))
        assert path.read_bytes() == b"T [7] | \xff\xfe\n"

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ({"time_format": "%H:%M:%S"}, "12:00:00 [7] | x"),
            ({"time_format": "%H.%f"}, "12.250000 [7] | x"),
            ({"prefix": "{watcher}.{wid} {name}: "}, "web.1 stdout: x"),
            ({"prefix": "{time} "}, "2024-03-05 12:00:00 x"),
            ({"prefix": "{time} ", "time_format": "%Y"}, "2024 x"),
            ({"prefix": ""}, "x"),
        ],
    )
    def test_forms(self, path: Path, options: dict[str, str], line: str) -> None:
        FileStream(filename=str(path), **options)(piece(b"x\n", at=NOON + 0.25))  # type: ignore[arg-type]
        assert path.read_text() == f"{line}\n"

    def test_seconds_go_on(self, path: Path) -> None:
        stream = FileStream(filename=str(path), time_format="%S")
        for second in (0, 0.9, 1, 59.5):
            stream(piece(b"x\n", at=NOON + second))
        assert [line[:2] for line in path.read_text().split("\n")[:-1]] == ["00", "00", "01", "59"]


class TestRotation:
    """Rotation by size: whole lines, no file too large, nothing lost that is not too old."""

    @pytest.mark.parametrize("size", [1, 7, 64, 1000])
    @pytest.mark.parametrize("packed", [False, True])
    def test_every_line_once_and_in_order(self, path: Path, size: int, packed: bool) -> None:
        lines = [b"%05d" % number for number in range(300)]
        text = b"\n".join(lines) + b"\n"
        stream = FileStream(filename=str(path), max_bytes=100, backup_count=99, gzip=packed)
        for at in range(0, len(text), size):
            stream(piece(text[at : at + size]))
        stream.close()
        assert lines_of(path) == lines
        assert path.stat().st_size < 100
        assert sum(1 for _ in path.parent.iterdir()) > 15

    def test_the_oldest_are_dropped(self, path: Path) -> None:
        stream = FileStream(filename=str(path), max_bytes=11, backup_count=2)
        for number in range(10):
            stream(piece(b"line %04d\n" % number))
        assert sorted(one.name for one in path.parent.iterdir()) == [
            *("out.log", "out.log.1", "out.log.2")
        ]
        assert lines_of(path) == [b"line 0007", b"line 0008", b"line 0009"]

    def test_a_line_longer_than_a_file_gets_one_of_its_own(self, path: Path) -> None:
        stream = FileStream(filename=str(path), max_bytes=10, backup_count=9)
        stream(piece(b"a\n" + b"x" * 30 + b"\nb\n"))
        assert lines_of(path) == [b"a", b"x" * 30, b"b"]
        assert (path.parent / "out.log.1").read_bytes() == b"x" * 30 + b"\n"

    def test_prefixes_count(self, path: Path) -> None:
        stream = FileStream(filename=str(path), max_bytes=60, backup_count=50, time_format="%H")
        stream(piece(b"line\n" * 50))
        stream.close()
        assert lines_of(path) == [b"12 [7] | line"] * 50
        assert all(one.stat().st_size < 60 for one in path.parent.iterdir())

    def test_what_is_there_counts_after_a_restart(self, path: Path) -> None:
        path.write_bytes(b"old\n" * 4)
        FileStream(filename=str(path), max_bytes=20, backup_count=1)(piece(b"new\n"))
        assert path.read_bytes() == b"new\n"
        assert (path.parent / "out.log.1").read_bytes() == b"old\n" * 4

    def test_two_streams_of_one_file_agree(self, path: Path) -> None:
        one, two = (FileStream(filename=str(path), max_bytes=50, backup_count=99) for _ in range(2))
        for number in range(100):
            (one if number % 3 else two)(piece(b"%04d\n" % number))
        assert lines_of(path) == [b"%04d" % number for number in range(100)]

    def test_a_rotation_that_fails_loses_nothing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = FileStream(filename=str(path), max_bytes=10, backup_count=1)
        stream(piece(b"12345678\n"))

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError):
            stream(piece(b"more\nlines\n"))
        assert path.read_bytes() == b"12345678\nmore\nlines\n"

    def test_an_unfinished_packing_is_taken_up(self, path: Path) -> None:
        (path.parent / "out.log.1.gz.part").write_bytes(b"half")
        (path.parent / "out.log.1").write_bytes(b"oldest\n")
        stream = FileStream(filename=str(path), max_bytes=5, backup_count=3, gzip=True)
        for word in (b"one\n", b"two\n"):
            stream(piece(word))
        (path.parent / "out.log.1.gz.part").unlink(missing_ok=True)
        assert lines_of(path) == [b"oldest", b"one", b"two"]

    def test_needs_to_know_what_to_do_with_the_old(self) -> None:
        with pytest.raises(Fault, match="max_bytes needs a backup_count of at least 1"):
            FileStream(filename="x", max_bytes=10)

    def test_packing_is_nothing_for_the_loop(self) -> None:
        assert FileStream(filename="x").in_loop
        assert not FileStream(filename="x", gzip=True).in_loop


class TestWatched:
    """A file that others move."""

    @pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
    def test_is_opened_anew(self, path: Path, how: str) -> None:
        stream = WatchedFileStream(filename=str(path))
        stream(piece(b"one\n"))
        if how == "deleted":
            path.unlink()
        else:
            path.rename(path.with_suffix(".1"))
        if how == "replaced":
            path.write_bytes(b"")
        stream(piece(b"two\n"))
        stream(piece(b"three\n"))
        assert path.read_bytes() == b"two\nthree\n"

    def test_a_folder_that_is_gone_loses_nothing_while_the_file_is_open(self, path: Path) -> None:
        stream = WatchedFileStream(filename=str(path))
        stream(piece(b"one\n"))
        moved = path.parent.rename(path.parent.with_name("moved")) / path.name
        with pytest.raises(SystemProblem, match="can not be opened"):
            stream(piece(b"two\n"))
        assert moved.read_bytes() == b"one\ntwo\n"
