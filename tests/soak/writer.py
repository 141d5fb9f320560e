"""Writes numbered lines, each with a number of its own, for ever: ``writer.py [PAUSE]``."""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Write a line at once each time, so that a kill never tears one."""
    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.002
    # A pid alone comes again within minutes where so many processes are started.
    number, me = 0, f"{os.getpid()}{time.monotonic_ns()}"
    while True:
        os.write(1, f"{me} {number}\n".encode())
        number += 1
        time.sleep(pause)


if __name__ == "__main__":
    main()
