"""The leash: runs one program, and kills it when a moment has passed that a file tells.

Run by path, with the standard library alone, as ``python -I leash.py FILE COMMAND...``. ``FILE``
holds the moment in seconds of a clock that goes on while the machine sleeps (`boot_seconds`). Its
writer moves it on: the lease of a host in a fleet, which is renewed. Whatever becomes of the writer
and of the daemon, the program does not live past it.

Signals are passed on, and the program's end becomes the leash's own. When the leash is killed, the
kernel kills the program.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import sys
import time

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
EXPIRED = 75
"""Exit code where the lease had ended before there was a program, EX_TEMPFAIL of sysexits."""

_NOT_FOUND, _NOT_RUNNABLE = 127, 126
_CLOEXEC, _ABSOLUTE = 0o2000000, 1
_PDEATHSIG = 1
_PASSED_ON = frozenset(signal.valid_signals()) - {
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGSEGV, signal.SIGBUS),
    *(signal.SIGFPE, signal.SIGILL, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
}


def leash_command(file: str) -> list[str]:
    """Return the words that stand before a command which is to end with the moment in a file."""
    return [sys.executable, "-I", __file__, file]


def boot_seconds() -> float:
    """Return seconds of a clock that goes on while the machine sleeps."""
    return time.clock_gettime(_BOOT_CLOCK)


def main() -> int:
    """Run the program; return the exit code."""
    if len(sys.argv) < 3:
        print("leash: give FILE and COMMAND", file=sys.stderr)
        return 64
    path, command = sys.argv[1], sys.argv[2:]
    if _remaining(path) <= 0:
        print("leash: the lease has ended", file=sys.stderr)
        return EXPIRED
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD})
    wake_up, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    pid = os.fork()  # the leash is no part of the daemon
    if not pid:
        _become(command)
    for signum in (*_PASSED_ON, signal.SIGCHLD):
        signal.signal(signum, _noted)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return _hold(pid, path, wake_up)


def _noted(signum: int, frame: object) -> None:
    """Do nothing: the number of the signal is in the pipe."""


def _become(command: list[str]) -> None:
    """Become the program, in the child."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(EXPIRED)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE)


def _hold(pid: int, path: str, wake_up: int) -> int:
    timer = _Timer()
    timer.set(_remaining(path))
    while True:
        readable, _, _ = select.select([wake_up, timer.fd], [], [])
        if timer.fd in readable:
            remaining = _remaining(path)
            if remaining <= 0:
                print("leash: the lease has ended; killed", file=sys.stderr, flush=True)
                os.kill(pid, signal.SIGKILL)
                os.killpg(0, signal.SIGKILL)  # with all that it has started
            timer.set(remaining)
        if wake_up in readable:
            for signum in os.read(wake_up, 4096):
                if signum != signal.SIGCHLD:
                    os.kill(pid, signum)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return _ended_with(os.waitstatus_to_exitcode(status))


def _ended_with(code: int) -> int:
    if code < 0:
        # The one who waits for us is to see what the program died of.
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
        return 128 - code
    return code


def _remaining(path: str) -> float:
    """Return for how many seconds the lease is good."""
    try:
        with open(path, encoding="ascii") as file:
            return float(file.read()) - boot_seconds()
    except (OSError, ValueError):
        return 0.0


class _Timer:
    """A timer of the kernel that also counts while the machine sleeps."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.timerfd_create(_BOOT_CLOCK, _CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "no timer is to be had")

    def set(self, seconds: float) -> None:
        """Make it readable in so many seconds, and not before."""
        whole = max(seconds, 0.001)
        value = struct.pack("@qqqq", 0, 0, int(whole), int(whole % 1 * 1e9) or 1)
        self._libc.timerfd_settime(self.fd, 0, value, None)


if __name__ == "__main__":
    sys.exit(main())
