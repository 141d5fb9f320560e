"""The pid file of a program that embeds an arbiter."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class Pidfile:
    """A file with a pid; `create` refuses to take that of another process that runs."""

    def __init__(self, fname: str) -> None:
        self.fname = fname
        self.pid: int | None = None
        self.perm_mode = 0o644

    def create(self, pid: int) -> None:
        """Write the file. Raises RuntimeError where another process holds it or it can not be."""
        holder = self.validate()
        if holder and holder != os.getpid():
            raise RuntimeError(
                f"Already running on PID {holder} (or pid file {self.fname!r} is stale)"
            )
        if holder and holder != pid:
            raise RuntimeError(f"pid file {self.fname!r} is stale, current pid {pid}")
        self.pid = pid
        folder = os.path.dirname(self.fname)
        if folder and not os.path.isdir(folder):
            raise RuntimeError(f"{folder!r} doesn't exist. Can't create pidfile.")
        number, temporary = tempfile.mkstemp(dir=folder or ".")
        with os.fdopen(number, "w") as file:
            file.write(f"{pid}\n")
        os.chmod(temporary, self.perm_mode)
        os.rename(temporary, self.fname)

    def rename(self, path: str) -> None:
        """Go on under another name."""
        self.unlink()
        self.fname = path
        self.create(self.pid or os.getpid())

    def unlink(self) -> None:
        """Remove the file, if it is ours."""
        if self.fname and self._pid_in_file() == self.pid:
            Path(self.fname).unlink(missing_ok=True)

    def validate(self) -> int | None:
        """Return the pid in the file, where that process runs."""
        pid = self._pid_in_file()
        return pid if pid is not None and os.path.exists(f"/proc/{pid}") else None

    def _pid_in_file(self) -> int | None:
        try:
            return int(Path(self.fname).read_text() or 0) or None
        except (OSError, ValueError):
            return None
