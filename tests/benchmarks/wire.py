"""Speak with a daemon of the circus protocol: how long one waits, how many it answers."""

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from tests.benchmarks.herd import Herd, Say, Trial
from tests.benchmarks.peers import Circus
from tests.benchmarks.yard import PeerFailed

PATIENCE_MS = 30_000
ROUND_TRIPS, STATUSES, COMMANDS, WARM_UP = 1000, 100, 7, 100
PIPELINED, WINDOW = 5000, 64


class Wire:
    """A blocking client that does as little as possible."""

    def __init__(
        self,
        endpoint: str,
        context: "zmq.Context[zmq.Socket[bytes]]",
        patience: float = PATIENCE_MS / 1000,
    ) -> None:
        self._patience = patience
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.rcvtimeo = int(patience * 1000)
        self._socket.connect(endpoint)

    def close(self) -> None:
        self._socket.close()

    def check(self, body: bytes, **expected: object) -> None:
        """Raise unless the answer to `body` holds what is expected: only work done counts."""
        answer = json.loads(self.answer(body))
        wrong = {key: answer.get(key) for key in expected if answer.get(key) != expected[key]}
        if wrong:
            raise PeerFailed(f"answered {wrong} to {body.decode()}")

    def times(self, body: bytes, count: int) -> list[float]:
        """Milliseconds from a request to its answer, `count` times."""
        took = []
        for _ in range(count):
            begun = time.perf_counter()
            self.answer(body)
            took.append(1000 * (time.perf_counter() - begun))
        return took

    def rate(self, body: bytes, count: int, window: int) -> float:
        """Answers a second with always `window` requests under way."""
        begun = time.perf_counter()
        for _ in range(window):
            self._socket.send(body)
        for _ in range(count - window):
            self._receive()
            self._socket.send(body)
        for _ in range(window):
            self._receive()
        return count / (time.perf_counter() - begun)

    def answer(self, body: bytes) -> bytes:
        """The answer to one request."""
        self._socket.send(body)
        return self._receive()

    def _receive(self) -> bytes:
        try:
            return bytes(self._socket.recv())
        except zmq.Again:
            raise PeerFailed(f"no answer within {self._patience:g} s") from None


def request(command: str, **properties: str) -> bytes:
    return json.dumps({"id": "b", "command": command, "properties": properties}).encode()


@contextmanager
def connected(peer: Circus, trial: Trial, say: Say) -> Iterator[Wire]:
    with Herd(peer, trial, say) as herd, zmq.Context() as context:
        herd.start()
        wire = Wire(peer.endpoint, context)
        try:
            yield wire
        finally:
            wire.close()


def control(peer: Circus, trial: Trial, say: Say) -> dict[str, float]:
    """A small request alone, many in a row, and as a whole command."""
    small = request("numprocesses", name="w0")
    with connected(peer, trial, say) as wire:
        wire.check(small, status="ok", numprocesses=trial.processes)
        wire.times(small, WARM_UP)
        say(f"{ROUND_TRIPS} round trips")
        round_trip = statistics.median(wire.times(small, ROUND_TRIPS))
        say(f"{PIPELINED} requests, {WINDOW} under way")
        rate = wire.rate(small, PIPELINED, WINDOW)
        say(f"{COMMANDS} circusctl commands")
        command = statistics.median(_command_times(peer, str(trial.processes)))
    return {"round_trip": round_trip, "pipelined": rate, "circusctl": command}


def status(peer: Circus, trial: Trial, say: Say) -> dict[str, float]:
    """`status` of every watcher where there are many."""
    everything = request("status")
    with connected(peer, trial, say) as wire:
        wire.check(everything, statuses={f"w{n}": "active" for n in range(trial.watchers)})
        say(f"{STATUSES} times status")
        wire.times(everything, WARM_UP // 10)
        return {"status": statistics.median(wire.times(everything, STATUSES))}


def _command_times(peer: Circus, expected: str) -> list[float]:
    words = peer.control_words("numprocesses", "w0")
    took = []
    for _ in range(COMMANDS):
        begun = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        took.append(1000 * (time.perf_counter() - begun))
        if done.stdout.strip() != expected:
            raise PeerFailed(f"circusctl said {done.stdout!r} {done.stderr[-300:]!r}")
    return took[1:]  # the first one reads the program from the disk
