"""The limit: the least a Python program must do to keep N processes running.

posix_spawn, a pidfd each, one epoll; what dies is started again at once. No configuration, no
control, no log, no session of its own for a child.
"""

import os
import select
import signal
import sys


class Ended(BaseException):
    """SIGTERM came."""


def end(*_: object) -> None:
    raise Ended


def keep(count: int, words: list[str]) -> None:
    epoll = select.epoll()
    pids: dict[int, int] = {}

    def spawn() -> None:
        pid = os.posix_spawn(words[0], words, os.environ)
        fd = os.pidfd_open(pid)
        pids[fd] = pid
        epoll.register(fd, select.EPOLLIN)

    try:
        for _ in range(count):
            spawn()
        while True:
            for fd, _ in epoll.poll():
                epoll.unregister(fd)
                os.close(fd)
                os.waitpid(pids.pop(fd), 0)
                spawn()
    except Ended:
        for pid in pids.values():
            os.kill(pid, signal.SIGTERM)
        for pid in pids.values():
            os.waitpid(pid, 0)


signal.signal(signal.SIGTERM, end)
keep(int(sys.argv[1]), sys.argv[2:])
