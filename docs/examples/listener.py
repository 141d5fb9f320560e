"""Print every event of a running circusd; any ZeroMQ client could.

    python listener.py [tcp://127.0.0.1:5556]

Each event is two frames: the topic, and a JSON object.
"""

from __future__ import annotations

import sys

import zmq


def main(endpoint: str = "tcp://127.0.0.1:5556") -> None:
    """Print events until Ctrl-C."""
    with zmq.Context() as context, context.socket(zmq.SUB) as events:
        events.linger = 0
        events.connect(endpoint)
        events.subscribe(b"watcher.")
        while True:
            topic, body = events.recv_multipart()
            print(topic.decode(), body.decode(), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except KeyboardInterrupt:
        sys.exit(0)
