"""The output of a watcher for one reader: what came between the backlog and what is live."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cvec_circus_core.api import CallError
from cvec_circus_plugins.commands._output_entries import as_json, bytes_of
from cvec_circus_plugins.httpd import output_stream
from cvec_circus_plugins.httpd.foreign_text import clean, clean_line, shown_lines
from cvec_circus_plugins.httpd.output_stream import OutputStream

PID = 7
Message = Mapping[str, Any]


def piece(start: int, data: bytes, pid: int = PID, channel: str = "stdout") -> dict[str, Any]:
    """Return a piece of live output."""
    facts = {"type": "output", "process_pid": pid, "process_id": 1, "channel": channel}
    return {**facts, "start": start, **as_json(data)}


class Kept:
    """A daemon that keeps the output of one process."""

    def __init__(self, data: bytes, end: int | None = None) -> None:
        self.data = data
        self.end = len(data) if end is None else end
        self.questions = 0
        self.is_there = True

    async def tail(self, properties: Message) -> Message:
        """Answer the command."""
        self.questions += 1
        if not self.is_there:
            raise CallError("the daemon is gone")
        if properties["channel"] != "stdout":
            return {"status": "ok", "output": []}
        entry = {"process_pid": PID, "process_id": 1, "ended": False, "end": self.end}
        return {"status": "ok", "output": [{**entry, **as_json(self.data)}]}


def run(
    kept: Kept, pieces: Sequence[dict[str, Any] | None], known: int = 0, waits: float = 0.0
) -> list[Message]:
    """Return what a reader gets who had so many bytes at first."""

    async def read() -> list[Message]:
        ends = [{"process_pid": PID, "channel": "stdout", "end": known}]
        stream = OutputStream(kept.tail, ("stdout", "stderr"), ends)
        await asyncio.sleep(waits)
        return [message for each in pieces async for message in stream.take(each)]

    return asyncio.run(read())


def texts(messages: Sequence[Message]) -> bytes:
    """Return the output of some messages; none may be a gap."""
    assert {message["type"] for message in messages} <= {"output"}
    return b"".join(map(bytes_of, messages))


def test_what_follows_is_passed_on() -> None:
    kept = Kept(b"")
    assert texts(run(kept, [piece(3, b"de"), piece(5, b"f")], known=3)) == b"def"
    assert kept.questions == 0


def test_what_the_backlog_had_already_does_not_come_again() -> None:
    assert texts(run(Kept(b""), [piece(0, b"abc"), piece(2, b"cde")], known=3)) == b"de"


def test_what_came_before_the_subscription_is_asked_for() -> None:
    kept = Kept(b"one\ntwo\nthree\n")
    messages = run(kept, [piece(8, b"three\n"), piece(14, b"four\n")], known=4)
    assert texts(messages) == b"two\nthree\nfour\n"
    assert kept.questions == 2, "once for each channel"


def test_it_is_asked_once_where_nothing_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_stream, "LOOK_AGAIN", 0.0)
    kept = Kept(b"one\ntwo\n")
    assert texts(run(kept, [None, None], known=4)) == b"two\n"
    assert kept.questions == 2


def test_what_is_not_kept_any_more_is_told_to_be_lost() -> None:
    kept = Kept(b"kept\n", end=105)
    messages = run(kept, [piece(100, b"kept\n"), piece(105, b"new\n")], known=10)
    assert messages[0] == {"type": "lost", "output": 90}
    assert texts(messages[1:]) == b"kept\nnew\n"


def test_a_reader_that_is_too_slow_asks_once_in_a_while() -> None:
    kept = Kept(b"")
    kept.end = 0
    pieces = [piece(start, b"x") for start in range(10, 1000, 10)]
    messages = run(kept, pieces)
    assert kept.questions == 2
    lost = sum(message["output"] for message in messages if message["type"] == "lost")
    assert lost + sum(message["type"] == "output" for message in messages) == 991


def test_a_daemon_that_is_gone_meanwhile_is_no_end() -> None:
    kept = Kept(b"")
    kept.is_there = False
    messages = run(kept, [piece(5, b"x")])
    assert [message["type"] for message in messages] == ["lost", "output"]


def test_half_a_letter_is_no_text_and_arrives_whole() -> None:
    euro = "€".encode()
    messages = run(Kept(b""), [piece(0, euro[:1]), piece(1, euro[1:])])
    assert texts(messages).decode() == "€"


def test_another_channel_is_left_out() -> None:
    assert run(Kept(b""), [piece(0, b"x", channel="other")]) == []


def test_processes_that_come_and_go_are_forgotten() -> None:
    async def read() -> int:
        stream = OutputStream(Kept(b"").tail, ("stdout",), ())
        for pid in range(5000):
            async for _ in stream.take(piece(0, b"x", pid)):
                pass
        return len(stream._ends)

    assert asyncio.run(read()) == output_stream._SOURCES


class TestForeignText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain é 漢 😀", "plain é 漢 😀"),
            ("a\tb\nc", "a\tb\nc"),
            ("\x1b]0;title\x07", "␛]0;title␇"),
            ("\x00\x7f\x9b", "␀␡\ufffd"),
            ("safe\u202egnp.exe", "safe\ufffdgnp.exe"),
            ("\u2067x\u2069", "\ufffdx\ufffd"),
        ],
    )
    def test_controls_are_visible(self, text: str, shown: str) -> None:
        assert clean(text) == shown

    def test_a_line_has_no_colours(self) -> None:
        assert clean_line("\x1b[1;31mred\x1b[0m\x1b[2J\r50 %\r") == "red␛[2J␍50 %"

    def test_only_a_line_feed_ends_a_line(self) -> None:
        entry = {"channel": "stdout", "process_id": 1, "data": "a\u2028b\x0bc\r\n\nd"}
        assert [line.text for line in shown_lines([entry])] == ["a\u2028b␋c", "", "d"]
