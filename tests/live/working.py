"""Workers that use something, as told by their first word; they do so until they are stopped.

busy            computes all the time
sleeping        does nothing
growing MB      has taken so much memory, piece by piece, and then does nothing
threaded COUNT  has so many threads, two of which compute
family          does nothing, and has a child that computes
"""

import subprocess
import sys
import threading
import time


def burn() -> None:
    """Compute for ever."""
    while True:
        sum(range(10_000))


match sys.argv[1:]:
    case ["busy"]:
        burn()
    case ["growing", megabytes]:
        kept = []
        for _ in range(int(megabytes)):
            kept.append(b"x" * 1_000_000)
            time.sleep(0.01)
    case ["threaded", count]:
        idle = threading.Event()
        for number in range(int(count) - 1):
            threading.Thread(target=burn if number < 2 else idle.wait, daemon=True).start()
    case ["family"]:
        child = subprocess.Popen([sys.executable, __file__, "busy"])
time.sleep(10_000)
