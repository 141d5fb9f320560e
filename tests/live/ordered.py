"""A database that is ready after a while, and a worker that needs it to its last moment.

ordered.py database FOLDER        ordered.py worker FOLDER
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

BOOT = 0.7
"""Seconds until the database answers."""
FINISHING = 1.0
"""Seconds that a worker needs to finish."""


def database(folder: Path) -> None:
    """Write down what is said to it."""
    time.sleep(BOOT)
    path = folder / "database"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    signal.signal(signal.SIGTERM, lambda *_: (path.unlink(), sys.exit(0)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
    while True:
        connection, _ = listener.accept()
        with connection, (folder / "diary").open("ab") as diary:
            diary.write(connection.recv(100))


def say(folder: Path, words: str) -> None:
    """Tell the database something; without one this ends the worker."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(folder / "database"))
        connection.sendall(f"{words}\n".encode())
        # Closed by the database when it has written that down: not before may it be ended.
        connection.recv(1)


def worker(folder: Path) -> None:
    """Tell the database of its beginning and its end."""

    def finish(*_: object) -> None:
        time.sleep(FINISHING)
        say(folder, "finished")
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    say(folder, "began")
    while True:
        signal.pause()


if __name__ == "__main__":
    {"database": database, "worker": worker}[sys.argv[1]](Path(sys.argv[2]))
