"""A file system that answers nothing, as that of a server that is gone: hanging.py FOLDER.

It lasts until its standard input ends. Exits with 1 where it may not be mounted.
"""

from __future__ import annotations

import ctypes
import os
import sys

LAZILY = 2


def main() -> int:
    """Mount it, say so, and wait."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = os.fsencode(sys.argv[1])
    try:
        requests = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        return 1
    options = f"fd={requests},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"hanging", folder, b"fuse", 0, options.encode()):
        return 1
    print("mounted", flush=True)
    sys.stdin.read()
    libc.umount2(folder, LAZILY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
