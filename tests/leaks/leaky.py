"""Become a program that was started by a careless parent: ``leaky.py FILE PROGRAM [ARGUMENT …]``.

Descriptors that pass exec, signals ignored and blocked, a low limit of descriptors, an umask: all
of it is the program's own business, and none of it that of the processes that it starts.
"""

from __future__ import annotations

import os
import resource
import signal
import sys


def main() -> None:
    """Make a mess, and run the program in it."""
    file, *words = sys.argv[1:]
    for number in (3, 11, 57):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number, inheritable=True)
    for signum in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGALRM])
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.umask(0o027)
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
