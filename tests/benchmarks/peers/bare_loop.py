"""The limit: the least a Python program must do to keep N processes running.

posix_spawn, a pidfd each, one epoll; what dies is started again at once. No configuration, no
control, no log, no session of its own for a child.
"""

import os
import select
import signal
import sys


def keep(count: int, words: list[str], ending: int) -> None:
    """Keep so many, until there is something to read from `ending`."""
    epoll = select.epoll()
    epoll.register(ending, select.EPOLLIN)
    pids: dict[int, int] = {}

    def spawn() -> None:
        pid = os.posix_spawn(words[0], words, os.environ)
        fd = os.pidfd_open(pid)
        pids[fd] = pid
        epoll.register(fd, select.EPOLLIN)

    for _ in range(count):
        spawn()
    is_wanted = True
    while is_wanted:
        for fd, _ in epoll.poll():
            if fd == ending:
                is_wanted = False
                break
            epoll.unregister(fd)
            os.close(fd)
            os.waitpid(pids.pop(fd), 0)
            spawn()
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
    for pid in pids.values():
        os.waitpid(pid, 0)


# A handler that raised could do so between the start of a child and its place in the books.
reading, writing = os.pipe()
os.set_blocking(writing, False)
signal.set_wakeup_fd(writing)
signal.signal(signal.SIGTERM, lambda *_: None)
keep(int(sys.argv[1]), sys.argv[2:], reading)
