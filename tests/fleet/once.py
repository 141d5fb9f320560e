"""A program that may run once in a fleet: it says that it runs, and takes a lock besides.

``once.py SLOT SOCKET LOCK``. The connection ends with the process, by the kernel's hand. The lock
can not be had while another process of the slot lives: that is told at once, without any clock.
"""

import fcntl
import json
import os
import socket
import sys

slot, address, lock = sys.argv[1:]
file = open(lock, "a")  # noqa: SIM115 – held as long as the process lives
try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    is_alone = True
except BlockingIOError:
    is_alone = False
observer = socket.socket(socket.AF_UNIX)
observer.connect(address)
observer.sendall(
    json.dumps(
        {
            "slot": slot,
            "host": os.environ.get("FLEET_HOST", ""),
            "fence": int(os.environ.get("CIRCUS_FENCE", "0")),
            "pid": os.getpid(),
            "is_alone": is_alone,
        }
    ).encode()
    + b"\n"
)
while observer.recv(1):
    continue
