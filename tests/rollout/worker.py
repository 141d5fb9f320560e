"""A worker that takes a while to boot, then serves a managed socket: one line per connection.

``worker.py FD BOOT_SECONDS [never|crash]``. It says READY=1 where it can, prints "serving", and
on SIGTERM answers whom it has accepted before it goes.
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


def main(fd: int, boot: float, fate: str) -> None:
    """Boot, and serve until told to go."""
    leaving = []
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
            connection.sendall(f"{os.getpid()}\n".encode())


if __name__ == "__main__":
    fd, boot, fate = (*sys.argv[1:], "serve")[:3]
    main(int(fd), float(boot), fate)
