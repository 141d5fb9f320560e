"""A watcher in memory that does at once what it is asked, and writes it down."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from io import BytesIO
from itertools import count
from typing import Any, Self

from cvec_circus_core.config.mappings import (
    changed_spec,
    spec_as_json,
    watcher_from_mapping,
)
from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import (
    CircusError,
    UnknownProcess,
)
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import (
    Health,
    OutputLine,
    OutputQuery,
    OutputView,
    ProcessView,
    WatcherStatus,
    WatcherView,
)

FIRST_PID = 101


class FakeTicket:
    """A promise that is settled already."""

    def __init__(self, done: Done | None = None, error: CircusError | None = None) -> None:
        self._done = done or Done()
        self._error = error

    def __await__(self) -> Generator[Any, None, Done]:
        yield from ()
        if self._error is not None:
            raise self._error
        return self._done


class FakeWatcher:
    """One watcher, stopped until it is started.

    While there is an ``error``, nothing is done, and tickets raise it.
    """

    def __init__(self, name: str, cmd: str = "true", **options: object) -> None:
        self.spec: WatcherSpec = watcher_from_mapping(name, {"cmd": cmd, **options})
        self.status = WatcherStatus.STOPPED
        self.pids: dict[int, int] = {}
        """The pid of the process in each slot."""
        self.restarts = 0
        self.last_exit: int | None = None
        self.reason: str | None = None
        self.retry_in: float | None = None
        self.error: CircusError | None = None
        self.variables = {"PATH": "/bin"}
        self.output: list[OutputView] = []
        """What `recent` finds."""
        self.said: list[str] = []
        self.numbers = count(FIRST_PID)

    def up(self) -> Self:
        """Start it without a word."""
        self._fill()
        return self

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self.spec.name

    def view(self) -> WatcherView:
        """Return a picture of what is so."""
        target = self.spec.numprocesses if self.status is WatcherStatus.ACTIVE else 0
        health = Health(
            running=len(self.pids),
            wanted=target,
            restarts=self.restarts,
            last_exit=self.last_exit,
            reason=self.reason,
            retry_in=self.retry_in,
        )
        processes = (ProcessView(wid, pid, 0.0, False) for wid, pid in self.pids.items())
        return WatcherView(self.name, self.status, health, tuple(processes))

    def start(self) -> FakeTicket:
        """Bring it up."""
        kept = tuple(self.pids.values())
        return self._wish("start", lambda: Done(started=self._fill(), kept=kept))

    def stop(self, reason: str | None = None, *, for_good: bool = False) -> FakeTicket:
        """Bring it down."""
        if reason is not None and self.status is not WatcherStatus.STOPPED:
            self.reason = reason
        why = f" because {reason}" if reason else ""
        why += " for good" if for_good else ""
        return self._wish(f"stop{why}", lambda: Done(stopped=self._empty()))

    def announce(self, event: str, body: Mapping[str, Any]) -> None:
        """Write it down."""
        self.said.append(f"announce {self.name}.{event} {dict(body)}")

    def restart(self) -> FakeTicket:
        """Bring it down, then up."""
        return self._wish("restart", self._replace)

    def reload(self, *, graceful: bool = True, sequential: bool = False) -> FakeTicket:
        """Replace all processes."""
        how = "" if graceful else " not gracefully"
        how += " one by one" if sequential else ""
        return self._wish(f"reload{how}", self._replace)

    def resize(self, count: int) -> FakeTicket:
        """Keep this many processes."""
        return self._wish(f"resize to {count}", lambda: self._set({"numprocesses": count}))

    def change(self, options: Mapping[str, Any], *, renew: bool = True) -> FakeTicket:
        """Set options, all or none."""
        changed_spec(self.spec, options)
        later = "" if renew else " for later processes"
        return self._wish(f"change {dict(options)}{later}", lambda: self._set(options))

    def kill(self, pid: int | None, signum: int | None, grace: float | None) -> FakeTicket:
        """Stop one process or all of them; they are replaced."""
        self._require(pid, None)
        return self._wish(f"kill pid={pid} signum={signum} grace={grace}", self._replace)

    def signal(self, signum: int, selection: SignalSelection) -> FakeTicket:
        """Write the signal down."""
        self._require(selection.pid, selection.wid)
        parts = {
            "pid": selection.pid,
            "wid": selection.wid,
            "childpid": selection.childpid,
            "children": selection.children or None,
            "recursive": selection.recursive or None,
        }
        selected = "".join(f" {key}={value}" for key, value in parts.items() if value is not None)
        self.said.append(f"signal {self.name} {signum}{selected}")
        return FakeTicket(error=self.error)

    def options(self, *, as_set: bool = False) -> Mapping[str, Any]:
        """Return all options as JSON values."""
        return spec_as_json(self.spec)

    def reopen(self) -> None:
        """Write it down."""
        self.said.append(f"reopen {self.name}")

    def recent_lines(self, query: OutputQuery) -> Sequence[OutputLine]:
        """Return the lines of what the test has put into ``output``, one view after the other."""
        views = [
            view
            for view in self.output
            if view.channel in query.channels and query.wid in (None, view.wid)
        ]
        return [
            OutputLine(view.wid, view.pid, view.channel, 0.0, line, view.ended)
            for view in views
            for line in BytesIO(view.data)
            if query.text.encode() in line
        ]

    def recent(self, channel: str, lines: int, wid: int | None = None) -> Sequence[OutputView]:
        """Return what the test has put into ``output``."""
        return [line for line in self.output if line.channel == channel and wid in (None, line.wid)]

    def environment(self, wid: int) -> Mapping[str, str]:
        """Return the environment that a new process in this slot would get."""
        return {**self.variables, "WID": str(wid)}

    async def extended_stats(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the info object with a mark."""
        return {**info, "extended": True}

    def _wish(self, wish: str, act: Callable[[], Done]) -> FakeTicket:
        verb, _, how = wish.partition(" ")
        self.said.append(" ".join(part for part in (verb, self.name, how) if part))
        return FakeTicket(act()) if self.error is None else FakeTicket(error=self.error)

    def _require(self, pid: int | None, wid: int | None) -> None:
        if pid is not None and pid not in self.pids.values():
            raise UnknownProcess(pid, self.name)
        if wid is not None and wid not in self.pids:
            raise UnknownProcess(wid, self.name)

    def _set(self, options: Mapping[str, Any]) -> Done:
        self.spec = changed_spec(self.spec, options)
        if self.status is WatcherStatus.ACTIVE:
            self._fill()
        return Done(numprocesses=self.spec.numprocesses)

    def _fill(self) -> tuple[int, ...]:
        self.status = WatcherStatus.ACTIVE
        wids = range(1, self.spec.numprocesses + 1)
        started = {wid: next(self.numbers) for wid in wids if wid not in self.pids}
        self.pids = {wid: pid for wid, pid in {**self.pids, **started}.items() if wid in wids}
        return tuple(started.values())

    def _empty(self) -> tuple[int, ...]:
        stopped = tuple(self.pids.values())
        self.status, self.pids = WatcherStatus.STOPPED, {}
        return stopped

    def _replace(self) -> Done:
        stopped = self._empty()
        return Done(stopped=stopped, started=self._fill())
