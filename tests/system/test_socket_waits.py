"""Real processes that wait on a socket in every way there is, and some that only have it."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cvec_circus_core.system.net.socket_waits import Waiting, look_at_waits
from tests.programs import wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is seen in /proc"),
]

# First it sleeps in a read of its standard input, as a server that imports its application; a line
# there lets it wait in the way that its second argument names.
SERVER = """
import select, signal, socket, sys, threading
listening, how = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
print("there", flush=True)
sys.stdin.readline()
if how == "accept":
    listening.accept()
elif how == "receive":
    listening.recvfrom(100)
elif how == "select":
    select.select([listening], [], [])
elif how == "poll":
    poll = select.poll(); poll.register(listening, select.POLLIN); poll.poll()
elif how == "epoll":
    epoll = select.epoll(); epoll.register(listening, select.EPOLLIN); epoll.poll()
elif how == "epoll after many":
    pairs = [socket.socketpair() for _ in range(300)]
    epoll = select.epoll()
    for one, other in pairs: epoll.register(one, select.EPOLLIN)
    late = socket.socket(fileno=listening.detach())
    epoll.register(late, select.EPOLLIN); epoll.poll()
elif how == "in a thread":
    threading.Thread(target=listening.accept).start()
    signal.pause()
elif how == "another socket":
    own = socket.create_server(("127.0.0.1", 0)); own.accept()
elif how == "writable only":
    epoll = select.epoll(); epoll.register(listening, select.EPOLLPRI); epoll.poll()
elif how == "no interest":
    poll = select.poll(); poll.register(listening, select.POLLPRI); poll.poll()
"""
WAITS = ["accept", "select", "poll", "epoll", "epoll after many", "in a thread"]
WAITS_ELSEWHERE = ["another socket", "writable only", "no interest"]


@contextmanager
def server(
    how: str, kind: socket.SocketKind = socket.SOCK_STREAM
) -> Iterator[tuple[subprocess.Popen[bytes], frozenset[int]]]:
    """Run a server that has the socket and does not wait on it yet."""
    with socket.socket(socket.AF_INET, kind) as managed:
        managed.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            managed.listen()
        descriptor = managed.fileno()
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, str(descriptor), how],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == b"there\n"
                yield process, frozenset({os.fstat(descriptor).st_ino})
            finally:
                process.kill()


def let_go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def sleeps(pid: int) -> bool:
    """Tell whether the main thread sleeps in a call, and in which no more of standard input is."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        words = file.read().split()
    return len(words) > 6 and words[0] not in ("0", "63")


@pytest.mark.parametrize("how", WAITS)
def test_each_way_to_wait_is_seen_from_its_first_moment_on(how: str) -> None:
    with server(how) as (process, inodes):
        assert look_at_waits([process.pid], inodes) is Waiting.NOT_YET
        let_go(process)
        wait_until(lambda: look_at_waits([process.pid], inodes) is Waiting.YES)


def test_a_datagram_socket_is_waited_on_by_receiving() -> None:
    with server("receive", socket.SOCK_DGRAM) as (process, inodes):
        assert look_at_waits([process.pid], inodes) is Waiting.NOT_YET
        let_go(process)
        wait_until(lambda: look_at_waits([process.pid], inodes) is Waiting.YES)


@pytest.mark.parametrize("how", WAITS_ELSEWHERE)
def test_who_waits_for_something_else_does_not_wait_on_it(how: str) -> None:
    with server(how) as (process, inodes):
        let_go(process)
        wait_until(lambda: sleeps(process.pid))
        assert look_at_waits([process.pid], inodes) is Waiting.NOT_YET


def test_one_of_a_tree_is_enough_and_the_gone_do_not_count() -> None:
    with server("accept") as (process, inodes):
        let_go(process)
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        pids = [os.getpid(), gone.pid, process.pid]
        wait_until(lambda: look_at_waits(pids, inodes) is Waiting.YES)
        assert look_at_waits([gone.pid], inodes) is Waiting.UNKNOWN


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a second user")
@pytest.mark.parametrize("how", ["accept", "epoll"])
def test_what_nobody_may_look_at_is_said_to_be_unknown(how: str) -> None:
    with server(how) as (process, inodes):
        let_go(process)
        wait_until(lambda: look_at_waits([process.pid], inodes) is Waiting.YES)
        child = os.fork()
        if not child:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            waits = look_at_waits([process.pid], inodes)
            os._exit(0 if waits is Waiting.UNKNOWN else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("how", ["accept", "epoll"])
def test_where_calls_have_unknown_numbers_the_epoll_set_is_what_counts(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(how) as (process, inodes):
        let_go(process)
        wait_until(lambda: look_at_waits([process.pid], inodes) is Waiting.YES)
        monkeypatch.setattr(platform, "machine", lambda: "pdp11")
        expected = Waiting.YES if how == "epoll" else Waiting.UNKNOWN
        assert look_at_waits([process.pid], inodes) is expected
