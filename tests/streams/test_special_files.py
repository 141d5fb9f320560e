"""What has the name of a file and is none: never renamed, never waited for in the loop."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import resource
import socket
import stat
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.api import Stream, SystemProblem
from cvec_circus_plugins.streams.direct import DirectFileStream
from cvec_circus_plugins.streams.fancy import FancyStdoutStream
from cvec_circus_plugins.streams.file import FileStream
from cvec_circus_plugins.streams.json import JsonStream
from cvec_circus_plugins.streams.stdout import StdoutStream
from cvec_circus_plugins.streams.syslog import SyslogStream
from cvec_circus_plugins.streams.timed_file import TimedRotatingFileStream
from tests.streams.pieces import NOON, piece
from tests.streams.test_reading import Desk, run, until

Make = Callable[[str], Stream]


def by_size(path: str) -> Stream:
    """Return a stream that rotates after every line."""
    return FileStream(filename=path, max_bytes=5, backup_count=3)


def by_time(path: str) -> Stream:
    """Return a stream that rotates every second."""
    return TimedRotatingFileStream(filename=path, rotate_when="S")


def of_json(path: str) -> Stream:
    """Return a JSON stream that rotates after every line."""
    return JsonStream(filename=path, max_bytes=5, backup_count=3)


def packed(path: str) -> Stream:
    """Return a stream that rotates after every line and compresses."""
    return FileStream(filename=path, max_bytes=5, backup_count=3, gzip=True)


ROTATING = [by_size, by_time, of_json, packed]


def write_lines(stream: Stream) -> None:
    """Write three lines, a second apart."""
    stream.open()  # type: ignore[attr-defined]
    for second in range(3):
        stream(piece(b"line\n", at=NOON + second))


class TestRotation:
    """Only a plain file is rotated, by its own name."""

    @pytest.mark.parametrize("make", ROTATING)
    def test_a_named_pipe_is_not(
        self, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        write_lines(make(str(path)))
        assert os.read(reader, 65536).count(b"line") >= 3
        assert os.listdir(tmp_path) == ["pipe"]
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert caplog.messages == [
            f"{path} is not a plain file: it is written to, but never rotated"
        ]
        os.close(reader)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
    @pytest.mark.parametrize("make", ROTATING)
    def test_a_device_is_not(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "null"
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
            path.open("w").close()
        except PermissionError:
            pytest.skip("no devices here")
        write_lines(make(str(path)))
        assert os.listdir(tmp_path) == ["null"]
        assert stat.S_ISCHR(path.stat().st_mode)

    @pytest.mark.parametrize("make", ROTATING)
    def test_what_standard_output_leads_to_is_not(self, make: Make, tmp_path: Path) -> None:
        # As the machine's own /dev/stdout is a link into /proc; here it leads to a plain file.
        target = tmp_path / "target"
        target.write_text("")
        kept = os.dup(1)
        out = os.open(target, os.O_WRONLY | os.O_APPEND)
        os.dup2(out, 1)
        link = tmp_path / "stdout"
        link.symlink_to("/proc/self/fd/1")
        try:
            write_lines(make(str(link)))
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(out)
        assert target.read_text().count("line") >= 3
        assert sorted(os.listdir(tmp_path)) == ["stdout", "target"]
        assert os.readlink(link) == "/proc/self/fd/1"

    @pytest.mark.parametrize("make", ROTATING)
    def test_a_link_stays_and_its_target_is(self, make: Make, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "logs").mkdir()
        link = tmp_path / "logs/app.log"
        link.symlink_to("../data/real.log")
        write_lines(make(str(link)))
        assert os.listdir(tmp_path / "logs") == ["app.log"]
        assert link.is_symlink()
        files = sorted(os.listdir(tmp_path / "data"))
        assert len(files) >= 3
        assert all(name.startswith("real.log") for name in files)

    @pytest.mark.parametrize("make", ROTATING)
    def test_check_tells(self, make: Make, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (doubt,) = make(str(tmp_path / "pipe")).doubts()
        assert doubt.key in {"max_bytes", "rotate_when"}
        assert doubt.sentence.startswith("has no effect: ")
        assert not list(make(str(tmp_path / "file")).doubts())

    def test_what_is_not_to_be_rotated_is_no_doubt(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert not list(FileStream(filename=str(tmp_path / "pipe")).doubts())
        assert not list(JsonStream().doubts())


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return a named pipe without a reader."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


CLASSES = ["FileStream", "WatchedFileStream", "JsonStream", "DirectFileStream"]


class TestNeverInTheLoop:
    """A pipe without a reader, or with a slow one, keeps its own processes waiting."""

    @pytest.mark.parametrize("name", CLASSES)
    def test_opening_a_pipe_without_a_reader_does_not_wait(self, name: str, pipe: Path) -> None:
        async def test() -> None:
            settings = {"class": name, "filename": str(pipe)}
            desk = Desk(stdout_stream=settings)
            end = desk.begin(1)[0]
            os.write(end, b"line\n")
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            text = b""

            def read() -> bool:
                nonlocal text
                try:
                    text += os.read(reader, 65536)
                except BlockingIOError:
                    return False
                return b"line" in text

            await until(read)
            os.close(end)
            await until(lambda: not desk.world.outputs.readers)
            desk.streams.close_later()
            await until(lambda: not desk.world.outputs.writers)
            os.close(reader)

        run(test)

    @pytest.mark.parametrize("name", ["FileStream", "WatchedFileStream"])
    def test_a_slow_reader_stops_nobody_and_gets_everything(self, name: str, pipe: Path) -> None:
        async def test() -> None:
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
            os.set_blocking(reader, True)
            desk = Desk(stdout_stream={"class": name, "filename": str(pipe)})
            end = desk.begin(1)[0]
            data = b"".join(b"%06d\n" % number for number in range(30_000))
            writer = threading.Thread(target=partial(_write_and_close, end, data))
            writer.start()
            # The reader does nothing, and the loop goes on: this would never end otherwise.
            await until(lambda: sum(one.waiting for one in desk.world.outputs.writers) > 100_000)
            received: list[bytes] = []

            def read() -> None:
                while sum(map(len, received)) < len(data):
                    received.append(os.read(reader, 65536))

            thread = threading.Thread(target=read)
            thread.start()
            await until(lambda: not thread.is_alive())
            assert b"".join(received) == data
            writer.join()
            await until(lambda: not desk.world.outputs.readers)
            desk.streams.close_later()
            await until(lambda: not desk.world.outputs.writers)
            os.close(reader)

        run(test)

    def test_a_file_that_became_a_pipe_is_not_written_in_the_loop(self, tmp_path: Path) -> None:
        async def test() -> None:
            path = tmp_path / "log"
            desk = Desk(stdout_stream={"class": "WatchedFileStream", "filename": str(path)})
            end = desk.begin(1)[0]
            os.write(end, b"one\n")
            await until(lambda: path.exists() and path.read_bytes() == b"one\n")
            path.rename(tmp_path / "old")
            os.mkfifo(path)
            os.set_blocking(end, False)
            written = 0
            for _ in range(300):
                try:
                    written += os.write(end, b"x" * 999 + b"\n")
                except BlockingIOError:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0)
            reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            received = 0

            def read() -> bool:
                nonlocal received
                try:
                    received += len(os.read(reader, 65536))
                except BlockingIOError:
                    return False
                return received == written

            await until(read)
            os.close(end)
            await until(lambda: not desk.world.outputs.readers)
            desk.streams.close_later()
            await until(lambda: not desk.world.outputs.writers)
            os.close(reader)

        run(test)

    def test_a_process_that_writes_to_a_pipe_itself_may_wait(self, pipe: Path) -> None:
        stream = DirectFileStream(filename=str(pipe))
        assert os.get_blocking(stream.descriptor(1))
        stream.close()


def _write_and_close(end: int, data: bytes) -> None:
    with open(end, "wb") as file:
        file.write(data)


class TestEveryByte:
    """Somebody else has set O_NONBLOCK on what we share; somebody's disk is full."""

    @pytest.mark.parametrize("unbuffered", [False, True])
    @pytest.mark.parametrize("make", [StdoutStream, JsonStream])
    def test_standard_output_that_does_not_block(
        self, make: Callable[[], Stream], unbuffered: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        buffering: dict[str, Any] = {"buffering": 0} if unbuffered else {}
        out = os.fdopen(writing, "wb", **buffering)

        class Out:
            buffer = out
            fileno = staticmethod(out.fileno)
            flush = staticmethod(out.flush)

        monkeypatch.setattr(sys, "stdout", Out())
        received: list[bytes] = []

        def read() -> None:
            while data := os.read(reading, 65536):
                received.append(data)

        reader = threading.Thread(target=read)
        stream = make()
        for number in range(200):
            if number == 1:
                reader.start()
            stream(piece(b"".join(b"%03d %04d\n" % (number, line) for line in range(100))))
        out.close()
        reader.join()
        assert b"".join(received).count(b"\n") == 20_000
        os.close(reading)

    def test_what_a_full_disk_took_is_counted_and_the_next_line_is_whole(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "log"
        stream = FileStream(filename=str(path))
        stream(piece(b"one\n"))
        # As a full disk does, a limit takes some bytes and then none.
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(OSError, match="File too large") as full:
                stream(piece(b"two and a half\n"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert full.value.lost_bytes == 9  # type: ignore[attr-defined]
        stream(piece(b"three\n"))
        assert path.read_bytes() == b"one\ntwo an\nthree\n"

    @pytest.mark.parametrize("make", ROTATING)
    def test_a_folder_that_was_moved_loses_nothing(self, make: Make, tmp_path: Path) -> None:
        (tmp_path / "logs").mkdir()
        stream = make(str(tmp_path / "logs/log"))
        stream.open()  # type: ignore[attr-defined]
        stream(piece(b"one\n"))
        (tmp_path / "logs").rename(tmp_path / "moved")
        lost = []
        for word in (b"two\n", b"three\n"):
            with pytest.raises((OSError, SystemProblem)) as trouble:
                stream(piece(word, at=NOON + 10))
            lost.append(getattr(trouble.value, "lost_bytes", None))
        assert lost == [0, 0]
        text = b"".join(file.read_bytes() for file in (tmp_path / "moved").iterdir())
        assert all(word in text for word in (b"one", b"two", b"three"))


LINE = "a\u2028b\u0085c\x0bd\x0ce\x1cf\rg"


class TestLines:
    """Lines end at a line feed, and at nothing else."""

    def test_of_json(self, tmp_path: Path) -> None:
        JsonStream(filename=str(tmp_path / "log"))(piece(f"{LINE}\nnext\n".encode()))
        lines = (tmp_path / "log").read_bytes().split(b"\n")[:-1]
        assert [json.loads(line)["line"] for line in lines] == [LINE, "next"]

    def test_of_colours(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        FancyStdoutStream(color="red", time_format="T")(piece(f"{LINE}\nnext\n".encode()))
        lines = capfdbinary.readouterr().out.decode().split("\n")[:-1]
        assert [line.partition(" | ")[2] for line in lines] == [f"{LINE}\x1b[0m", "next\x1b[0m"]

    def test_of_syslog(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(tmp_path / "syslog"))
            receiver.settimeout(20)
            stream = SyslogStream(address=str(tmp_path / "syslog"))
            stream.open()
            stream(piece(f"{LINE}\nnext\n".encode()))
            messages = [receiver.recv(1000).decode() for _ in range(2)]
            stream.close()
        assert [text.partition(": ")[2] for text in messages] == [f"{LINE}\0", "next\0"]
