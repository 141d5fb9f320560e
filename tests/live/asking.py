"""Asks a daemon from a process of its own, where no other thread is in the way of the clock.

python asking.py times ENDPOINT SECONDS      prints how many ms each answer took, as JSON
python asking.py status ENDPOINT WATCHER
                                             asks until its input ends; prints for each answer when
                                             it was wanted and how many ms it took, as JSON
python asking.py events ENDPOINT WATCHER RATE
                                             lets so many events happen each second until its
                                             input ends; prints how many there were
"""

from __future__ import annotations

import json
import os
import select
import sys
import time

from tests.live.wire import Caller

OPTIONS = 50
"""Options that one request sets: as many events."""
LATE = 0.05
"""Seconds that may be made up for."""


def go_first() -> bool:
    """Go before everybody, and tell whether that is allowed.

    It is the daemon that is judged: else a busy machine is measured, on which any client waits for
    a processor.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    except OSError:
        return False
    return True


def times(endpoint: str, seconds: str) -> list[float]:
    """Return how long each of many answers took."""
    go_first()
    took = []
    with Caller(endpoint) as caller:
        caller.call("numwatchers")
        end = time.monotonic() + float(seconds)
        while (begun := time.monotonic()) < end:
            caller.call("numwatchers")
            took.append(1000 * (time.monotonic() - begun))
            time.sleep(0.005)
    return took


def status(endpoint: str, watcher: str) -> list[tuple[float, float]]:
    """Return when each of many answers was wanted and how long it took."""
    print("first" if go_first() else "ordinary", flush=True)
    took = []
    with Caller(endpoint) as caller:
        while not select.select([sys.stdin], [], [], 0.003)[0]:
            begun = time.monotonic()
            caller.call("status", name=watcher)
            took.append((begun, 1000 * (time.monotonic() - begun)))
    return took


def events(endpoint: str, watcher: str, rate: str) -> tuple[int, float]:
    """Let events happen, and return how many there were in how many seconds."""
    asked = {"name": watcher, "options": {f"x.{number}": number for number in range(OPTIONS)}}
    frame = json.dumps({"msg_type": "cast", "command": "set", "properties": asked}).encode()
    sent, step = 0, OPTIONS / float(rate)
    with Caller(endpoint) as caller:
        begun = due = time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            caller.socket.send(frame)
            sent += OPTIONS
            # What the machine gave no time for is let go: made up for, it would be a flood.
            due = max(due + step, time.monotonic() - LATE)
        caller.call("numwatchers")  # All casts before have been taken.
        return sent, time.monotonic() - begun


if __name__ == "__main__":
    ways = {"times": times, "status": status, "events": events}
    print(json.dumps(ways[sys.argv[1]](*sys.argv[2:])))
