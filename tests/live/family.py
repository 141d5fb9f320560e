"""A worker with two children and a grandchild, who write down the signals that they hear.

    python family.py FOLDER

Each has a file in the folder, named after it, that begins with its pid.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def live(folder: Path, name: str) -> None:
    """Write down what is heard, until TERM."""

    def hear(signum: int, frame: object) -> None:
        with diary.open("a", encoding="utf-8") as out:
            print(signal.Signals(signum).name, file=out)

    diary = folder / name
    signal.signal(signal.SIGUSR1, hear)
    signal.signal(signal.SIGHUP, hear)
    diary.write_text(f"{os.getpid()}\n", encoding="utf-8")
    while True:
        signal.pause()


def main() -> None:
    """Become a family."""
    folder = Path(sys.argv[1])
    if not os.fork():
        if not os.fork():
            live(folder, "grandchild")
        live(folder, "first")
    if not os.fork():
        live(folder, "second")
    live(folder, "parent")


if __name__ == "__main__":
    main()
