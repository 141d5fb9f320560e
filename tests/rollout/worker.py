"""A worker that takes a while to boot, then serves a managed socket: one line per connection.

``worker.py FD BOOT_SECONDS [serve|plain|never|crash] [ANSWER_SECONDS]``. It says READY=1 where it
can, prints "serving", and on SIGTERM answers whom it has accepted before it goes; a plain one does
not know of SIGTERM at all.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time


def say(*lines: str) -> None:
    """Tell the supervisor, as sd_notify(3) does."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto("\n".join(lines).encode(), "\0" + address[1:])


def main(fd: int, boot: float, fate: str, answering: float) -> None:
    """Boot, and serve until told to go."""
    leaving: list[int] = []
    if fate != "plain":
        signal.signal(signal.SIGTERM, lambda *_: leaving.append(1))
    end = time.monotonic() + boot
    while time.monotonic() < end and not leaving:
        time.sleep(0.02)
    if fate == "crash":
        sys.exit(3)
    if fate != "never":
        say("READY=1", "STATUS=serving")
        print("serving", flush=True)
    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    while not leaving:
        if not select.select([listening], [], [], 0.05)[0]:
            continue
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            continue
        with connection:
            connection.setblocking(True)
            time.sleep(answering)
            connection.sendall(f"{os.getpid()}\n".encode())


if __name__ == "__main__":
    words = (*sys.argv[1:], *("serve", "0")[len(sys.argv) - 3 :])
    main(int(words[0]), float(words[1]), words[2], float(words[3]))
