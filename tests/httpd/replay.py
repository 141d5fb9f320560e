"""Statistics of processes that there are not, told as fast as they are taken.

``python -m tests.httpd.replay --statspoint ENDPOINT --watchers N --each N --allowed FILE`` stands
for circusd-stats: it publishes one sample of all watchers and their processes after the other, up
to the number that stands in the file. The cpu_sum of w0 is the number of the sample.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import zmq

AGAIN = 1.0
"""Seconds after which the last sample is told again."""


def main() -> None:
    """Publish until somebody ends it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--statspoint", required=True)
    parser.add_argument("--watchers", type=int, required=True)
    parser.add_argument("--each", type=int, required=True)
    parser.add_argument("--allowed", type=Path, required=True)
    args = parser.parse_args()
    publisher: zmq.Socket[bytes] = zmq.Context().socket(zmq.XPUB)
    publisher.set(zmq.XPUB_NODROP, 1)
    publisher.set(zmq.SNDHWM, 5000)
    publisher.bind(args.statspoint)
    sample, listeners, due = 0, 0, 0.0
    while True:
        while publisher.poll(0 if listeners else 50):
            listeners += 1 if publisher.recv()[:1] == b"\x01" else -1
        is_allowed = sample < int(args.allowed.read_text() or 0)
        if not listeners or (not is_allowed and time.monotonic() < due):
            time.sleep(0.02)
            continue
        # The last one is told again and again: a console that begins to listen anew has missed it.
        sample += is_allowed
        due = time.monotonic() + AGAIN
        _publish(publisher, sample, args.watchers, args.each)


def _publish(publisher: zmq.Socket[bytes], sample: int, watchers: int, each: int) -> None:
    for watcher in range(watchers):
        pids = [10_000 + watcher * each + number for number in range(each)]
        for wid, pid in enumerate(pids, 1):
            info: dict[str, object] = {
                "pid": pid,
                "wid": wid,
                "cpu": sample % 100,
                "rss": sample,
                "age": sample,
            }
            info |= {"cmdline": "sleep 10000", "username": "root", "state": "sleeping"}
            _send(publisher, f"stat.w{watcher}.{pid}", info)
        sums = {"pid": pids, "cpu": 1.0, "cpu_sum": sample, "rss": 1e6 + sample, "age": sample}
        _send(publisher, f"stat.w{watcher}", {**sums, "processes": each, "threads": 1, "fds": 3})


def _send(publisher: zmq.Socket[bytes], topic: str, body: object) -> None:
    publisher.send_multipart([topic.encode(), json.dumps(body).encode()])


if __name__ == "__main__":
    main()
