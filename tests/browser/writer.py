"""A worker for the browser tests: writes numbered lines on both channels, and obeys signals."""

import itertools
import os
import signal
import sys
import time

signal.signal(signal.SIGUSR1, lambda *_: print("heard USR1", flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("begun \x1b[31mred\x1b[0m <b>bold</b> \x1b]0;title\x07", flush=True)
for number in itertools.count():
    if "busy" in sys.argv:
        sum(range(300_000 * (number % 7)))
    print(f"line {number} of {os.getpid()}", flush=True)
    if number % 5 == 0:
        print(f"complaint {number}", file=sys.stderr, flush=True)
    time.sleep(0.2)
