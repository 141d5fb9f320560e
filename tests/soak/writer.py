"""Writes numbered lines, each with its pid, until it is told to go: ``writer.py [PAUSE]``."""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Write a line at once each time, so that a kill never tears one."""
    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.002
    number, pid = 0, os.getpid()
    while True:
        os.write(1, f"{pid} {number}\n".encode())
        number += 1
        time.sleep(pause)


if __name__ == "__main__":
    main()
