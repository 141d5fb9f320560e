"""A worker that writes numbered lines: ``chatter.py MARK LINES [LENGTH] [stay|crash|flush]``.

Its buffer is that of any program: pieces of 8 KB that end in the middle of a line.
"""

import os
import sys
import time


def main() -> None:
    """Write, then stay, crash, or end."""
    mark, count, *rest = sys.argv[1:]
    length = int(rest[0]) if rest else 0
    how = rest[1] if len(rest) > 1 else ""
    for number in range(int(count)):
        line = f"{mark} {os.getpid()} {number}"
        # In one piece, line end and all: others may write to the same file.
        print(line.ljust(length - 1, ".") + "\n", end="", flush=how == "flush")
    if how == "crash":
        sys.stdout.write("last words")
        sys.stdout.flush()
        os.abort()
    sys.stdout.flush()
    if how in ("stay", "flush"):
        time.sleep(1000)


if __name__ == "__main__":
    main()
