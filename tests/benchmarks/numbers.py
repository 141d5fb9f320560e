"""Statistics of a large herd: what they cost, and whom they keep waiting.

The subscriber lives in this process, which is none of the daemon's helpers, so only what the peer
itself spends is counted: all of its processes, workers left out.
"""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from tests.benchmarks.herd import SETTLE, Herd, Say, Trial
from tests.benchmarks.peers import Circus
from tests.benchmarks.wire import Wire, request
from tests.benchmarks.yard import PeerFailed, cpu_seconds

REPEATED = 7
"""Times that all statistics are asked for, where one answer takes less than a second."""
PING_EVERY = 0.002
FIRST_SAMPLES = 5.0


def statistics_of(peer: Circus, trial: Trial, say: Say) -> dict[str, float]:
    """The cost of the stream with nobody and with one subscriber, and the wait for all at once."""
    with Herd(peer, trial, say) as herd, zmq.Context() as context:
        herd.start()
        time.sleep(2 * SETTLE)
        values = _stream(herd, peer, context, say) if trial.idle else {}
        say("asking for everything")
        return values | _everything(peer, trial, context)


def _stream(
    herd: Herd, peer: Circus, context: "zmq.Context[zmq.Socket[bytes]]", say: Say
) -> dict[str, float]:
    say(f"statistics with nobody listening, {herd.trial.idle:g} s")
    unheard = _spent(herd)
    with _subscribed(peer, context) as seen:
        time.sleep(FIRST_SAMPLES)
        seen.clear()
        say(f"statistics with one subscriber, {herd.trial.idle:g} s")
        heard = _spent(herd)
        told = len(seen)
    if told < herd.job.total:
        raise PeerFailed(f"told of {told} of {herd.job.total} processes")
    return {"stats_unheard": unheard, "stats_heard": heard}


def _spent(herd: Herd) -> float:
    helpers = herd.daemon.helpers(herd.starts.alive)
    before, begun = cpu_seconds(helpers), time.monotonic()
    time.sleep(herd.trial.idle)
    return 100 * (cpu_seconds(helpers) - before) / (time.monotonic() - begun)


@contextmanager
def _subscribed(peer: Circus, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[set[bytes]]:
    """Subscribe to everything; the set fills with the topics of processes."""
    seen: set[bytes] = set()
    over = threading.Event()
    listener = context.socket(zmq.SUB)
    listener.linger = 0
    listener.rcvhwm = 0
    listener.subscribe(b"stat.")
    listener.connect(peer.stats_endpoint)

    def listen() -> None:
        while not over.is_set():
            if listener.poll(100):
                topic = listener.recv_multipart()[0]
                if topic.startswith(b"stat.w") and topic.count(b".") == 2:
                    seen.add(topic)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        listener.close()


def _everything(
    peer: Circus, trial: Trial, context: "zmq.Context[zmq.Socket[bytes]]"
) -> dict[str, float]:
    asking, other = (Wire(peer.endpoint, context, trial.limit) for _ in range(2))
    took: list[float] = []
    waits: list[float] = []
    try:
        while not took or (len(took) < REPEATED and took[0] < 1000):
            with _pinging(other) as answered:
                begun = time.perf_counter()
                answer = asking.answer(request("stats"))
                took.append(1000 * (time.perf_counter() - begun))
            waits.append(max(answered))
            infos = json.loads(answer).get("infos", {})
            known = sum(len(some) for name, some in infos.items() if name.startswith("w"))
            if known != trial.processes * trial.watchers:
                raise PeerFailed(f"stats told of {known} processes")
            time.sleep(0.3)
    finally:
        asking.close()
        other.close()
    return {
        "stats_all": statistics.median(took),
        "stats_all_meanwhile": statistics.median(waits),
    }


@contextmanager
def _pinging(wire: Wire) -> Iterator[list[float]]:
    """Send small requests all the time; the list fills with the milliseconds of each."""
    took: list[float] = []
    over = threading.Event()
    body = request("numprocesses", name="w0")

    def ping() -> None:
        while not over.is_set():
            took.extend(wire.times(body, 1))
            time.sleep(PING_EVERY)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        while len(took) < 10:
            time.sleep(PING_EVERY)
        took.clear()
        yield took
    finally:
        over.set()
        thread.join()
