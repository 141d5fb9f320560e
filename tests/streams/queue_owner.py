"""Keep workers and take their output from a queue: ``queue_owner.py OUT COMMAND WORKERS``."""

from __future__ import annotations

import queue
import sys
import threading
from pathlib import Path

from cvec_circus_core import get_arbiter
from cvec_circus_plugins.streams.queue import QueueStream

_LOOK_EVERY = 0.02
_ANY_PORT = "tcp://127.0.0.1:*"


def main() -> None:
    """Run workers to their ends, and write what they say into a file."""
    out, cmd, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    stream, over = QueueStream(), threading.Event()

    def take() -> None:
        with out.open("ab") as file:
            while True:
                try:
                    file.write(stream.get(timeout=_LOOK_EVERY)["data"])
                except queue.Empty:
                    if over.is_set():
                        return

    taking = threading.Thread(target=take)
    taking.start()
    how = {"numprocesses": count, "respawn": False, "stdout_stream": {"stream": stream}}
    # Any free port: several of these may run at the same time.
    arbiter = get_arbiter(
        [{"name": "w", "cmd": cmd, **how}],
        controller=_ANY_PORT,
        pubsub_endpoint=_ANY_PORT,
        background=True,
    )
    arbiter.start()
    try:
        while arbiter.get_watcher("w").status() != "stopped":
            over.wait(_LOOK_EVERY)
    finally:
        arbiter.stop()
        over.set()
        taking.join()


if __name__ == "__main__":
    main()
