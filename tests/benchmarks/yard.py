"""Own every process of a run: start a daemon, look at its cost, leave nothing behind.

The benchmark makes itself the *subreaper*: an orphan of whatever it started becomes its own child
again, so "all my descendants" really is everything, and `sweep` can end all of it.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


class PeerFailed(Exception):
    """A peer ended by itself or refused to work; the message carries the end of its log."""


def become_subreaper() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Daemon:
    """A peer's main process and its tree."""

    def __init__(self, words: list[str], folder: Path, extra_env: Mapping[str, str]) -> None:
        self._log = folder / "output.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **extra_env},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise when the daemon has ended although nobody asked it to."""
        code = self.process.poll()
        if code is not None:
            raise PeerFailed(f"ended with code {code}: {self._last_words()}")

    def helpers(self, workers: set[int]) -> list[int]:
        """The daemon and everything under it that is no worker."""
        return [pid for pid in tree(self.process.pid) if pid not in workers]

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"


def tree(root: int, without: Collection[int] = ()) -> list[int]:
    """`root` and all below it, parents before children; a branch in `without` is left out."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) not in without:
            with suppress(OSError):
                # The command name may hold anything; what follows its last bracket may not.
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children[int(parent)].append(int(entry.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time used so far by all threads of `pids`, to the nanosecond."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for task in (_PROC / str(pid) / "task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def pss_megabytes(pids: Iterable[int]) -> float:
    """Memory of `pids`, shared pages counted in parts, so that helpers may be added up."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def sweep(spared: Collection[int] = (), limit: float = 30.0) -> None:
    """End every descendant, whoever started it, and collect all of them but the `spared`."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        end = time.monotonic() + limit
        while time.monotonic() < end:
            found = tree(os.getpid(), spared)[1:]
            if not found:
                return
            # Parents first, so that nobody is left who would start another one.
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in found:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
