"""The pid file: tells people who we are, and keeps a second daemon from starting.

The lock decides, not the number: the kernel drops the lock with the process, however that ends, so
a stale file, or a number that another process has by now, never stops a start.

Who reads the file believes it, and may be root: it is not put where everybody could exchange it,
and nobody can lead us to another file (`trusted_paths.py`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.trusted_paths import Spot, UntrustedPath, hold

_LONGEST = 32
_NOTHING = b"\0 \t\r\n\v\f"
"""What may stand around a number, or in its place."""
"""Bytes; whatever is longer is no pid."""
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK


class PidFileProblem(SystemProblem):
    """The pid file can not be written."""


class AlreadyRunning(PidFileProblem):
    """A living daemon holds the pid file."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = "another daemon" if pid is None else f"a daemon with pid {pid}"
        super().__init__(f"{who} is running already and holds the pid file {str(path)!r}")
        self.pid = pid


class PidFile:
    """A pid file that we hold, or not."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._fd: int | None = None

    @classmethod
    def inherited(cls, path: str, fd: int) -> PidFile:
        """Return one that was acquired by the program before us in this process."""
        pidfile = cls(path)
        pidfile._fd = fd
        return pidfile

    def hand_on(self) -> int | None:
        """Let the lock pass exec; return its descriptor."""
        if self._fd is not None:
            os.set_inheritable(self._fd, True)
        return self._fd

    @property
    def descriptor(self) -> int | None:
        """The file, if we hold it."""
        return self._fd

    def acquire(self) -> None:
        """Lock the file and write our pid. Raises `AlreadyRunning` or `PidFileProblem`."""
        self._write(self._lock())

    def renew(self) -> None:
        """Write our pid in a file that we hold already. Raises `PidFileProblem`."""
        if self._fd is not None:
            self._write(self._fd)

    def _write(self, fd: int) -> None:
        try:
            # The mode is readable for all whatever the umask, writable for nobody but us.
            os.fchmod(fd, 0o644)
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
            os.fsync(fd)
        except OSError as error:
            os.close(fd)
            raise self._problem(error) from error
        self._fd = fd

    def release(self) -> None:
        """Take the file away if it is still ours, and let go of the lock."""
        if self._fd is None:
            return
        try:
            with hold(self.path, follow=False) as spot:
                if _is_same(self._fd, spot):
                    spot.remove()
        except (OSError, UntrustedPath):
            pass  # the folder may be gone, or read-only by now: the lock is what counts
        os.close(self._fd)
        self._fd = None

    def _lock(self) -> int:
        while True:
            try:
                with hold(self.path, follow=False) as spot:
                    fd = self._locked(spot)
            except OSError as error:
                raise self._problem(error) from error
            except UntrustedPath as error:
                raise PidFileProblem(f"can not write the pid file: {error}") from None
            if fd is not None:
                return fd

    def _locked(self, spot: Spot) -> int | None:
        """Return the file, locked; None where its holder took it away while we locked it."""
        if spot.is_open_to_all and not spot.is_sticky:
            raise PidFileProblem(
                f"the pid file {str(self.path)!r} is in a folder where every user may replace it: "
                "use one that only its owner may write"
            )
        fd = spot.open(_OPEN, 0o644)
        try:
            self._check(fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._check_content(fd)
            if _is_same(fd, spot):
                return fd
        except BlockingIOError:
            holder = _read_pid(fd)
            os.close(fd)
            raise AlreadyRunning(self.path, holder) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return None

    def _check(self, fd: int) -> None:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise PidFileProblem(f"the pid file {str(self.path)!r} is not a plain file")
        if status.st_nlink > 1:
            # Somebody may have linked a file here that we would overwrite.
            raise PidFileProblem(f"the pid file {str(self.path)!r} has more than one name")

    def _check_content(self, fd: int) -> None:
        # An empty one was left by a daemon that was killed before it had written its number, one
        # with null bytes by a machine that lost its power.
        if os.pread(fd, _LONGEST, 0).strip(_NOTHING) and _read_pid(fd) is None:
            raise PidFileProblem(
                f"the file {str(self.path)!r} is no pid file (it holds something else than a "
                "number): it is left alone"
            )

    def _problem(self, error: OSError) -> PidFileProblem:
        folder = self.path.parent
        match error.errno:
            case errno.ENOENT | errno.ENOTDIR:
                reason = f"there is no folder {str(folder)!r}"
            case errno.EACCES | errno.EPERM:
                reason = f"the folder {str(folder)!r}, or the file, may not be written by us"
            case errno.ELOOP:
                reason = "it is a symbolic link"
            case errno.EISDIR:
                reason = "it is a folder"
            case _:
                reason = (error.strerror or str(error)).lower()
        return PidFileProblem(f"can not write the pid file {str(self.path)!r}: {reason}")


def _is_same(fd: int, spot: Spot) -> bool:
    try:
        state = spot.look()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), state)


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, _LONGEST + 1, 0)
    digits = text.strip(_NOTHING)
    return int(digits) if len(text) <= _LONGEST and digits.isdigit() else None
