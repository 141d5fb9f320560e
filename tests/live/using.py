"""A worker that uses what it is told to: python using.py WHAT...

busy          a processor, all of it
idle          nothing
grow MEGABYTES
once FILE WHAT...     the rest, if it is the first to make the file; else nothing
parent WHAT...        a child that does the rest, and nothing itself
"""

from __future__ import annotations

import signal
import subprocess
import sys


def main(words: list[str]) -> None:
    match words:
        case ["busy"]:
            while True:
                pass
        case ["grow", megabytes]:
            held = bytearray(int(megabytes) * 1024**2)
            held[::4096] = b"x" * len(held[::4096])  # what is not touched is not there
            signal.pause()
        case ["once", file, *rest]:
            try:
                with open(file, "x"):
                    pass
            except FileExistsError:
                rest = ["idle"]
            main(rest)
        case ["parent", *rest]:
            subprocess.run([sys.executable, __file__, *rest])
            main(["idle"])
        case _:
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
