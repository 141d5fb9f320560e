"""Going to the background, without leaving the caller in the dark.

The command that the operator typed ends when the daemon is *ready*, with exit code 0, or when it
has failed, with its message and exit code: not at the fork. A pipe carries that word.

Nothing that lives in threads or descriptors of its own (a ZeroMQ context, an event loop) may exist
before: make it in the process that `daemonize` returns in.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass


@dataclass(slots=True)
class WaitingCaller:
    """The process that waits in the foreground for our word. It hears one word only."""

    _pipe: int | None

    def ready(self) -> None:
        """Say that all is well: the command ends with exit code 0."""
        self._say(0, "")

    def failed(self, message: str, code: int = 1) -> None:
        """Say what went wrong: the command shows it and ends with this code."""
        self._say(code, message)

    def hand_on(self) -> int | None:
        """Let the pipe pass exec; return its descriptor."""
        if self._pipe is not None:
            os.set_inheritable(self._pipe, True)
        return self._pipe

    def _say(self, code: int, message: str) -> None:
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        try:
            os.write(pipe, bytes([code & 255]) + message.encode(errors="replace")[:4000])
        except BrokenPipeError:
            pass  # the caller was interrupted while it waited
        finally:
            os.close(pipe)


NOBODY_WAITS = WaitingCaller(None)
"""For a daemon in the foreground."""


def daemonize(welcome: str = "") -> WaitingCaller:
    """Return in a new process without terminal and parent; the old one waits and exits.

    It says ``welcome`` where the daemon is ready.
    The folder and the umask stay; the standard streams lead to /dev/null.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        _wait_and_exit(read, welcome)
    os.close(read)
    os.setsid()
    if os.fork():  # who is no session leader never gets a terminal again
        os._exit(0)
    _leave_streams()
    return WaitingCaller(write)


def _wait_and_exit(pipe: int, welcome: str) -> None:
    report = bytearray()
    try:
        while part := os.read(pipe, 4096):
            report += part
    except KeyboardInterrupt:
        os._exit(130)
    code, message = (
        (report[0], report[1:].decode()) if report else (1, "the daemon ended unexpectedly")
    )
    message = message if code else welcome
    if message:
        sys.stderr.write(message.rstrip() + "\n")
        sys.stderr.flush()
    os._exit(code)


def _leave_streams() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    if nothing > 2:
        os.close(nothing)
