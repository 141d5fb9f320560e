"""A worker that sends heart-beats by UDP: python beating.py PORT [BEATS|FILE] [--deaf]

After so many beats, or when the file is gone, it goes on without one. With --deaf it does not hear
SIGTERM.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

words = [word for word in sys.argv[1:] if word != "--deaf"]
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
until = words[1] if len(words) > 1 else "/"
sent = 0
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beats:
    while True:
        if sent < int(until) if until.isdigit() else os.path.exists(until):
            beats.sendto(f"{os.getpid()};{time.time()}".encode(), ("127.0.0.1", int(words[0])))
            sent += 1
        time.sleep(0.05)
