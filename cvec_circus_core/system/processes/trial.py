"""Doing what may hang or end the program: in a child process that is waited for so long only.

The child is a copy of this process, in a session of its own, without standard streams. It does one
piece of work after the other and tells each result; where it hangs or dies, the piece that it was
at is known, and a new child goes on with the next.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cvec_circus_core.system.accounts import Identity
from cvec_circus_core.system.deadline import Deadline
from cvec_circus_core.system.prctl import set_death_signal

_CHUNK = 1 << 16


class Hung(Exception):
    """The work did not end in time."""


class Died(Exception):
    """The work has ended its process."""


def results(
    work: Sequence[Callable[[], Any]], seconds: float, identity: Identity | None = None
) -> Iterator[Any]:
    """Yield what each piece of work returns, which JSON must be able to hold; or why it did not.

    That is `Hung`, after so many seconds, or `Died`. Where this process is root's, the child is
    another's. A piece of work that raises has ended its process, too.
    """
    position = 0
    while position < len(work):
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            _work(work[position:], read, write, identity)
        os.close(write)
        try:
            for result in _results(read, len(work) - position, seconds):
                position += 1
                yield result
        finally:
            _kill(pid)
            os.close(read)


def _results(read: int, count: int, seconds: float) -> Iterator[Any]:
    """Yield results up to the first that does not come."""
    text = b""
    for _ in range(count):
        deadline = Deadline(seconds)
        while b"\n" not in text:
            if not select.select([read], [], [], deadline.left())[0]:
                yield Hung()
                return
            chunk = os.read(read, _CHUNK)
            if not chunk:
                yield Died()
                return
            text += chunk
        line, _, text = text.partition(b"\n")
        yield json.loads(line)


def _work(
    work: Sequence[Callable[[], Any]], read: int, write: int, identity: Identity | None
) -> None:
    code = 1
    try:
        os.close(read)
        os.setsid()
        set_death_signal(signal.SIGKILL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nowhere, standard)
        if identity is not None and os.geteuid() == 0:
            os.setgroups(identity.groups)
            os.setgid(identity.gid)
            os.setuid(identity.uid)
        for piece in work:
            os.write(write, json.dumps(piece()).encode() + b"\n")
        code = 0
    finally:
        # Nothing that this process has to do at its end is the child's.
        os._exit(code)


def _kill(pid: int) -> None:
    """End a child and all that it has started, as far as that is still in its session."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it has not come as far as its own session
    os.waitpid(pid, 0)
