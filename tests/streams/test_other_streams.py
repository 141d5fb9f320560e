"""The streams that write no plain file."""

from __future__ import annotations

import io
import json
import queue
import re
import socket
import threading
from pathlib import Path

import pytest

from cvec_circus_core.api import Fault
from cvec_circus_plugins.streams.fancy import COLOURS, FancyStdoutStream
from cvec_circus_plugins.streams.json import JsonStream
from cvec_circus_plugins.streams.queue import QueueStream
from cvec_circus_plugins.streams.stdout import StdoutStream
from cvec_circus_plugins.streams.syslog import SyslogStream
from tests.streams.pieces import piece

UTC_NOON = 1709640000.25


class TestStdout:
    """The daemon's own output."""

    def test_bytes_are_unchanged(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        for part in (b"one\n", b"\xff\x00", b"no end"):
            StdoutStream()(piece(part))
        assert capfdbinary.readouterr().out == b"one\n\xff\x00no end"

    def test_a_text_in_memory_will_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        memory = io.StringIO()
        monkeypatch.setattr("sys.stdout", memory)
        StdoutStream()(piece(b"one\n"))
        assert memory.getvalue() == "one\n"


class TestFancy:
    """Colours."""

    def test_a_line_per_line(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        FancyStdoutStream(color="red", time_format="T")(piece(b"one\n\ntwo"))
        begin = b"\x1b[31;40mT [7] | "
        assert capfdbinary.readouterr().out == (begin + b"one\x1b[0m\n" + begin + b"two\x1b[0m\n")

    @pytest.mark.parametrize("said", [None, "", "mauve"])
    def test_any_colour_will_do(self, said: str | None) -> None:
        assert FancyStdoutStream(color=said).color in COLOURS

    def test_case_does_not_count(self) -> None:
        assert FancyStdoutStream(color=" Blue").color == "blue"


class TestJson:
    """An object per line."""

    @pytest.mark.parametrize(
        ("data", "lines"),
        [
            (b"one\n", [{"line": "one"}]),
            (b"one\n\ntwo", [{"line": "one"}, {"line": ""}, {"line": "two", "partial": True}]),
            (b'say "hi"\t\\\n', [{"line": 'say "hi"\t\\'}]),
            ("für\n".encode(), [{"line": "für"}]),
            (b"\xff\n", [{"line": "\\xff"}]),
        ],
    )
    def test_lines(self, tmp_path: Path, data: bytes, lines: list[dict[str, object]]) -> None:
        path = tmp_path / "out.json"
        JsonStream(filename=str(path))(piece(data, at=UTC_NOON))
        shared = {
            "time": "2024-03-05T12:00:00.250+00:00",
            "watcher": "web",
            "wid": 1,
            "pid": 7,
            "stream": "stdout",
        }
        found = [json.loads(line) for line in path.read_text().splitlines()]
        assert found == [{**shared, **line} for line in lines]

    def test_standard_output(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        stream = JsonStream()
        stream.open()
        stream(piece(b"one\n"))
        stream.reopen()
        stream.close()
        assert json.loads(capfdbinary.readouterr().out)["line"] == "one"

    def test_rotation(self, tmp_path: Path) -> None:
        stream = JsonStream(filename=str(tmp_path / "x"), max_bytes=200, backup_count=50)
        stream(piece(b"one\n" * 10))
        found = [json.loads(line) for one in tmp_path.iterdir() for line in one.open()]
        assert len(found) == 10

    def test_a_mistake_of_the_file_is_told(self) -> None:
        with pytest.raises(Fault, match="max_bytes needs a backup_count"):
            JsonStream(filename="x", max_bytes=1)


class TestQueue:
    """OutputMemory."""

    def test_pieces_come_out_as_they_went_in(self) -> None:
        stream = QueueStream()
        for data in (b"one\n", b"two\n"):
            stream(piece(data))
        assert [one["data"] for one in stream] == [b"one\n", b"two\n"]
        assert isinstance(stream, queue.Queue)
        assert (stream.qsize(), stream.empty()) == (0, True)
        with pytest.raises(queue.Empty):
            stream.get(timeout=0)

    def test_a_full_one_makes_wait(self) -> None:
        stream = QueueStream(maxsize=1)
        stream(piece(b"one\n"))
        writer = threading.Thread(target=stream, args=(piece(b"two\n"),))
        writer.start()
        assert writer.is_alive()
        assert [stream.get(timeout=5), stream.get(timeout=5)] == [piece(b"one\n"), piece(b"two\n")]
        writer.join(5)
        assert not writer.is_alive()


class TestSyslog:
    """A message per line."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> socket.socket:
        """Return a socket like the one of the system's log."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end.bind(str(tmp_path / "log"))
        end.settimeout(5)
        return end

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, b"<14>web[7]: one\x00"),
            ({"ident": "me", "facility": "DAEMON", "priority": "err"}, b"<27>me[7]: one\x00"),
        ],
    )
    def test_messages(
        self, tmp_path: Path, log: socket.socket, options: dict[str, str], message: bytes
    ) -> None:
        stream = SyslogStream(address=str(tmp_path / "log"), **options)
        stream.open()
        stream(piece(b"one\n\ntwo"))
        assert [log.recv(100), log.recv(100)] == [message, message.replace(b"one", b"two")]
        stream.close()
        log.close()

    def test_nobody_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="No such file"):
            SyslogStream(address=str(tmp_path / "log"))(piece(b"one\n"))

    @pytest.mark.parametrize(("key", "value"), [("facility", "kitchen"), ("priority", "high")])
    def test_mistakes_are_named(self, key: str, value: str) -> None:
        with pytest.raises(Fault, match=f"{key} isn't one of syslog's"):
            SyslogStream(**{key: value})

    def test_udp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.bind(("127.0.0.1", 0))
            end.settimeout(5)
            SyslogStream(address=f"127.0.0.1:{end.getsockname()[1]}")(piece(b"one\n"))
            assert re.fullmatch(rb"<14>web\[7\]: one\x00", end.recv(100))
