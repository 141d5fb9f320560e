"""Rude peers on the raw ports of a real daemon, while good clients are answered all along.

A rude peer speaks as much of ZMTP (RFC 23) as it takes to get further: garbage from the first byte,
half a greeting and then nothing, a byte now and then, a greeting and broken commands, a hand that
is shaken and broken frames after it, messages of too many parts. What decides is at the end: every
good request was answered in time, the daemon lives, its log has no traceback, and its memory and
descriptors are what they were.
"""

from __future__ import annotations

import random
import shutil
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack

import psutil

from tests.live.daemon import LIMIT, Daemon
from tests.live.others import GREETING, READY, connected, received
from tests.live.wire import Caller

MEGABYTE = 1 << 20
GROWTH = 64 * MEGABYTE
"""What the C library may keep for itself of the memory that a crowd has needed for a moment."""
PATIENCE = 5.0
"""Seconds that a good request may take on a machine that has other things to do."""
_OPEN_AT_ONCE = 200
_CALM = 1.0
_SPARE = 2
"""Descriptors that may come and go by themselves."""
_WARM_UP = 300

Peer = socket.socket
Say = Callable[[str], None]


def garbage(one: Peer, chance: random.Random) -> None:
    one.sendall(chance.randbytes(chance.choice((1, 10, 64, 1000, 70_000))))


def half_a_greeting(one: Peer, chance: random.Random) -> None:
    one.sendall(GREETING[: chance.randrange(len(GREETING))])


def a_changed_greeting(one: Peer, chance: random.Random) -> None:
    one.sendall(_changed(GREETING, chance) + chance.randbytes(40))


def slow(one: Peer, chance: random.Random) -> None:
    for at in range(chance.randrange(12)):
        one.sendall(GREETING[at : at + 1])
        time.sleep(0.001)


def broken_commands(one: Peer, chance: random.Random) -> None:
    one.sendall(GREETING)
    command = b"\x04" + bytes([len(READY)]) + READY
    for _ in range(3):
        one.sendall(_changed(command, chance))


def huge_command(one: Peer, chance: random.Random) -> None:
    one.sendall(GREETING + b"\x06" + struct.pack(">Q", chance.choice((2**31, 2**63, 2**64 - 1))))
    one.sendall(chance.randbytes(1000))


def old_protocols(one: Peer, chance: random.Random) -> None:
    # ZMTP 1.0 and 2.0, which libzmq speaks with peers that do.
    one.sendall(chance.choice((b"\x01\x00", b"\xff" + bytes(8) + b"\x7f\x01\x05\x00\x00")))
    one.sendall(chance.randbytes(100))


def broken_frames(one: Peer, chance: random.Random) -> None:
    shake_hands(one)
    for _ in range(chance.randrange(1, 20)):
        body = chance.randbytes(chance.randrange(200))
        one.sendall(bytes([chance.randrange(8), len(body)]) + body)


def huge_frames(one: Peer, chance: random.Random) -> None:
    shake_hands(one)
    one.sendall(b"\x02" + struct.pack(">Q", chance.choice((2**20 + 1, 2**40, 2**63))))
    one.sendall(chance.randbytes(2000))


def many_parts(one: Peer, chance: random.Random) -> None:
    shake_hands(one)
    one.sendall(b"\x01\x01x" * chance.randrange(5000) + b"\x00\x00" * chance.randrange(2))


def broken_messages(one: Peer, chance: random.Random) -> None:
    shake_hands(one)
    whole = b'{"id": 1, "command": "status", "properties": {"name": "sleeper"}}'
    for _ in range(chance.randrange(1, 30)):
        body = _changed(whole, chance)
        one.sendall(bytes([0, len(body)]) + body)


def deaf(one: Peer, chance: random.Random) -> None:
    # Asks and asks, and never reads an answer.
    shake_hands(one)
    body = b'{"id": 1, "command": "options", "properties": {"name": "sleeper"}}'
    one.setblocking(False)
    for _ in range(200):
        try:
            one.send(bytes([0, len(body)]) + body)
        except BlockingIOError:
            return


RUDE = (
    *(garbage, half_a_greeting, a_changed_greeting, slow, broken_commands, huge_command),
    *(old_protocols, broken_frames, huge_frames, many_parts, broken_messages, deaf),
)


def shake_hands(one: Peer) -> None:
    """Become a peer in good order; what is sent before that is taken for a broken handshake."""
    one.sendall(GREETING)
    heard = b""
    while len(heard) < len(GREETING):
        heard += received(one)
    one.sendall(b"\x04" + bytes([len(READY)]) + READY)
    while b"Identity" not in heard and b"XPUB" not in heard:
        heard += received(one)


def attack(seconds: float, seed: int | None, say: Say) -> bool:
    """Be rude to a daemon for so long; return whether it bore that."""
    seed = random.randrange(10**6) if seed is None else seed
    good = True
    for tcp in (True, False):
        daemon = Daemon("[watcher:sleeper]\ncmd = sleep 1000\n", tcp=tcp)
        try:
            daemon.start()
            told = _Rudeness(daemon, seed).last(seconds / 2)
            daemon.account()
            say(f"wire ({'tcp' if tcp else 'ipc'}, seed {seed}): {told}")
        except (AssertionError, OSError) as problem:
            say(
                f"wire ({'tcp' if tcp else 'ipc'}, seed {seed}): {problem}\n{daemon.text()[-3000:]}"
            )
            good = False
        finally:
            daemon.clean_up()
            shutil.rmtree(daemon.folder, ignore_errors=True)
    return good


class _Rudeness:
    """Rude peers, and one good client between them."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        self._chance = random.Random(seed)
        self._process = psutil.Process(daemon.process.pid)
        self._held: list[Peer] = []
        self.peers = self.answered = 0
        self.slowest = 0.0

    def last(self, seconds: float) -> str:
        """Be rude for so long, and tell how it was borne. Raises AssertionError."""
        with Caller(self._daemon.endpoint) as good, ExitStack() as stack:
            stack.callback(self._let_go, 0)
            for _ in range(_WARM_UP):
                self._one()
            self._let_go(0)
            self._ask(good)
            descriptors, before = self._calm(), self._daemon.rss()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self._one()
                if self.peers % 20 == 0:
                    self._ask(good)
            self._let_go(0)
            self._ask(good)
            self._settle(lambda: self._process.num_fds() - descriptors, _SPARE, "descriptors")
            self._settle(lambda: self._daemon.rss() - before, GROWTH, "bytes")
            grown = (self._daemon.rss() - before) / MEGABYTE
        return (
            f"{self.peers} rude peers, {self.answered} good requests answered, the slowest in "
            f"{self.slowest * 1000:.0f} ms, memory grew by {grown:.1f} MB"
        )

    def _calm(self) -> int:
        """Return the daemon's descriptors when it has begun everything that it begins at first."""
        found, since = self._process.num_fds(), time.monotonic()
        while time.monotonic() < since + _CALM:
            time.sleep(0.05)
            if (now := self._process.num_fds()) != found:
                found, since = now, time.monotonic()
        return found

    def _settle(self, growth: Callable[[], int], most: int, what: str) -> None:
        end = time.monotonic() + LIMIT
        while growth() > most:
            assert time.monotonic() < end, f"the daemon has {growth()} {what} more than before"
            time.sleep(0.05)

    def _one(self) -> None:
        where = self._chance.choice((self._daemon.endpoint, self._daemon.events))
        one = connected(where)
        one.settimeout(PATIENCE)
        self._held.append(one)
        self.peers += 1
        try:
            self._chance.choice(RUDE)(one, self._chance)
        except (OSError, ConnectionError):
            pass  # It was shown the door, which is right.
        self._let_go(_OPEN_AT_ONCE)

    def _let_go(self, at_most: int) -> None:
        while len(self._held) > at_most:
            self._held.pop(self._chance.randrange(len(self._held))).close()

    def _ask(self, good: Caller) -> None:
        begun = time.monotonic()
        assert good.call("numwatchers")["numwatchers"] == 1
        took = time.monotonic() - begun
        self.answered += 1
        self.slowest = max(self.slowest, took)
        assert took < PATIENCE, f"a good request took {took:.1f} s"
        assert self._daemon.process.poll() is None, "the daemon has ended"


def _changed(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(found))
        match chance.randrange(3):
            case 0:
                found[at] = chance.randrange(256)
            case 1:
                del found[at]
            case _:
                found.insert(at, chance.randrange(256))
    return bytes(found)
