"""Proof that output is whole: every line once, none torn, each worker's in order.

The lines of all workers have one length and begin with the number of their worker, so what a file
should hold from any place on is known: a run of lines of one worker, whole, and with whatever the
stream puts around each line. Runs are compared as long pieces of bytes, by doubling and halving,
which is a thousand times faster than to look at each line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

WIDTH = 10
"""Bytes of a line: worker, blank, number, end of line."""

_FIRST = 64


class NotWhole(AssertionError):
    """Something is missing, torn, twice, or in the wrong order."""


def lines_of(worker: int, count: int) -> bytes:
    """Return all that one worker writes; up to 99 workers and a million lines each."""
    mark = b"%02d " % worker
    numbers = (b"\n" + mark).join(b"%06d" % number for number in range(count))
    return mark + numbers + b"\n"


class Around:
    """What a stream puts before and after every line."""

    def __init__(self, pattern: bytes = b"", after: bytes = b"") -> None:
        self._pattern = re.compile(rb"(%b)(\d\d) \d{6}%b\n" % (pattern, re.escape(after)))
        self._after = after

    def at(self, data: bytes, place: int) -> tuple[bytes, bytes] | None:
        """Return what stands before the line that begins here, and its worker."""
        match = self._pattern.match(data, place)
        return None if match is None else (match[1], match[2])

    def put(self, lines: bytes, before: bytes) -> bytes:
        """Put it around some lines."""
        if not (before or self._after):
            return lines
        return (
            before + lines[:-1].replace(b"\n", self._after + b"\n" + before) + self._after + b"\n"
        )

    def width(self, before: bytes) -> int:
        """Return the bytes of a line with it."""
        return len(before) + WIDTH + len(self._after)


def check(data: bytes, wanted: Mapping[bytes, bytes], around: Around) -> None:
    """Make sure that all is there, where ``wanted`` are the lines of each worker.

    Raises `NotWhole` with a sentence.
    """
    done = dict.fromkeys(wanted, 0)
    place = 0
    while place < len(data):
        found = around.at(data, place)
        if found is None or found[1] not in wanted:
            raise NotWhole(f"no whole line at byte {place}: {data[place : place + 120]!r}")
        before, worker = found
        left = memoryview(wanted[worker])[done[worker] :]
        lines = _run(data, place, left, before, around)
        if not lines:
            raise NotWhole(
                f"worker {worker.decode()} should say {bytes(left[: WIDTH - 1])!r} at byte {place}:"
                f" {data[place : place + 120]!r}"
            )
        done[worker] += lines * WIDTH
        place += lines * around.width(before)
    for worker, size in done.items():
        if size != len(wanted[worker]):
            lost = (len(wanted[worker]) - size) // WIDTH
            raise NotWhole(f"the last {lost} lines of worker {worker.decode()} are not there")


def _run(data: bytes, place: int, left: memoryview, before: bytes, around: Around) -> int:
    """Return how many lines from here on are those that are wanted next."""
    width, most = around.width(before), len(left) // WIDTH

    def fits(first: int, end: int) -> bool:
        lines = bytes(left[first * WIDTH : end * WIDTH])
        there = data[place + first * width : place + end * width]
        return bool(lines) and there == around.put(lines, before)

    good, step = 0, _FIRST
    while good < most and fits(good, min(good + step, most)):
        good = min(good + step, most)
        step *= 2
    while step > 1:
        step //= 2
        if good + step <= most and fits(good, good + step):
            good += step
    return good
