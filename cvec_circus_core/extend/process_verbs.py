"""What is done to processes of a watcher, in the words of the older library.

Written once for those who keep watchers in a program, and for hooks.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from cvec_circus_core.extend.ports import SignalSelection

Answer = TypeVar("Answer")
"""What a verb gives back."""


class HasPid(Protocol):
    """A process, as far as its pid goes."""

    @property
    def pid(self) -> int:
        """The pid."""


class ProcessVerbs(Generic[Answer]):
    """Signals and kills, by the two verbs of the watcher's port."""

    def _signal(self, signum: int, selection: SignalSelection) -> Answer:
        raise NotImplementedError

    def _kill(self, pid: int | None, signum: int | None, grace: float | None) -> Answer:
        raise NotImplementedError

    def send_signal(self, pid: int, signum: int) -> Answer:
        """Send a signal to one process. Raises `UnknownProcess`."""
        return self._signal(signum, SignalSelection(pid=pid))

    def send_signal_child(self, pid: int, child_id: int, signum: int) -> Answer:
        """Send a signal to one child of a process. Raises `UnknownProcess`."""
        return self._signal(signum, SignalSelection(pid=pid, childpid=child_id))

    def send_signal_children(self, pid: int, signum: int, recursive: bool = False) -> Answer:
        """Send a signal to the children of a process, or to its whole tree."""
        return self._signal(signum, SignalSelection(pid=pid, children=True, recursive=recursive))

    def kill_processes(
        self, stop_signal: int | None = None, graceful_timeout: float | None = None
    ) -> Answer:
        """Stop all processes; they are replaced."""
        return self._kill(None, stop_signal, graceful_timeout)

    def kill_process(
        self,
        process: HasPid | int,
        stop_signal: int | None = None,
        graceful_timeout: float | None = None,
    ) -> Answer:
        """Stop one process; it is replaced. Raises `UnknownProcess`."""
        pid = process if isinstance(process, int) else process.pid
        return self._kill(pid, stop_signal, graceful_timeout)
