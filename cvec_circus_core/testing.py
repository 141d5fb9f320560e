"""Fakes for those who write plugins and commands: a daemon in memory, a clock, processes.

`FakeSupervisor` is what a command's ``execute`` gets. Its watchers do at once what they are asked:
a process is a number, nothing runs, and every wish is written down in ``said``. What goes by
options, names and patterns is the real thing, so that mistakes are refused as the daemon would::

    daemon = FakeSupervisor(FakeWatcher("web", cmd="web", numprocesses=2).up())
    reply = await Stop().execute(daemon, Stop.request(name="web", waiting=True))
    assert daemon.said == ["stop web"]
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from cvec_circus_core.config.properties import (
    changed_spec,
    socket_from_mapping,
    spec_as_json,
    watcher_from_mapping,
)
from cvec_circus_core.extend.ports import SignalSelection, Supervisor
from cvec_circus_core.model.errors import (
    AlreadyExists,
    BadMessage,
    CircusError,
    Conflict,
    UnknownProcess,
    UnknownWatcher,
)
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Option, declared_options
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import (
    Health,
    OutputLine,
    OutputQuery,
    OutputView,
    PluginView,
    ProcessView,
    SocketView,
    StatsSubject,
    WatcherStatus,
    WatcherView,
)
from cvec_circus_core.policy.name_patterns import matching
from cvec_circus_core.system.fakes import FakeClock, FakeProcesses

__all__ = [
    "FakeClock",
    "FakeProcesses",
    "FakeSockets",
    "FakeSupervisor",
    "FakeTicket",
    "FakeWatcher",
]

FIRST_PID = 101
FIRST_DESCRIPTOR = 10


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

    def __init__(self, name: str, cmd: str = "true", **options: Any) -> None:
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

    def stop(self, reason: str | None = None) -> FakeTicket:
        """Bring it down."""
        if reason is not None and self.status is not WatcherStatus.STOPPED:
            self.reason = reason
        why = f" because {reason}" if reason else ""
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

    def change(self, options: Mapping[str, Any]) -> FakeTicket:
        """Set options, all or none."""
        changed_spec(self.spec, options)
        return self._wish(f"change {dict(options)}", lambda: self._set(options))

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

    def options(self) -> Mapping[str, Any]:
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


class FakeSockets:
    """Managed sockets that nobody can connect to, numbered from 10 on."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self._views: dict[str, SocketView] = {}

    def views(self) -> Sequence[SocketView]:
        """Return a picture of each."""
        return list(self._views.values())

    def add(self, name: str, options: Mapping[str, Any]) -> SocketView:
        """Open one more. Raises `BadMessage`, `Conflict`."""
        spec = socket_from_mapping(name, options)
        if spec.name in self._views:
            raise Conflict(f"there is a socket named {spec.name!r} already")
        host, port = (None, None) if spec.is_unix else (spec.host, spec.port)
        fd = FIRST_DESCRIPTOR + len(self._views)
        view = SocketView(spec.name, fd, spec.backlog, host, port, spec.path)
        self._views[spec.name] = view
        self.said.append(f"add socket {name}")
        return view

    def remove(self, name: str) -> None:
        """Close one. Raises `BadMessage`."""
        if self._views.pop(name_key(name), None) is None:
            raise BadMessage(f"no socket is named {name!r}")
        self.said.append(f"remove socket {name}")


class FakePreview(Struct, frozen=True):
    """A configuration that differs in nothing from what is in force."""

    watchers: tuple[str, ...]

    def as_json(self) -> Mapping[str, object]:
        """Return it for a reply."""
        nothing_differs = {"action": "keep", "reason": "nothing differs"}
        return {
            "watchers": [{"name": name, **nothing_differs} for name in self.watchers],
            "sockets": [],
            "options": {"at_once": [], "at_next_start": []},
        }


class FakeSupervisor:
    """A daemon with these watchers; what it and they were asked stands in ``said``."""

    def __init__(self, *watchers: FakeWatcher, **options: Any) -> None:
        self.spec = ArbiterSpec(**options)
        self.said: list[str] = []
        self.error: CircusError | None = None
        self.infos: dict[int, Any] = {}
        """What the process table tells of a pid, where a test does not take the usual."""
        self.pid = 1
        self.changes = 0
        """How many events there have been."""
        self.extras: dict[int, dict[str, Any]] = {}
        """What other packages know of a pid."""
        self.sockets = FakeSockets(self.said)
        self.hosted: list[PluginView] = []
        """The plugins in threads of the daemon."""
        self._numbers = count(FIRST_PID)
        self._watchers: dict[str, FakeWatcher] = {}
        for watcher in watchers:
            self._take_in(watcher)

    def watcher(self, name: str) -> FakeWatcher:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        watcher = self._watchers.get(name_key(name))
        if watcher is None:
            raise UnknownWatcher(name)
        return watcher

    def watchers(self) -> Sequence[FakeWatcher]:
        """Return all watchers, sorted by name."""
        return [self._watchers[key] for key in sorted(self._watchers)]

    def matching(self, pattern: str, match: str) -> Sequence[FakeWatcher]:
        """Return the watchers that a pattern means, highest priority first."""
        return matching(self._watchers.values(), pattern, match)

    def add(self, name: str, cmd: str, options: Mapping[str, Any]) -> FakeWatcher:
        """Add a watcher, stopped. Raises `AlreadyExists`, `BadMessage`."""
        if name_key(name) in self._watchers:
            raise AlreadyExists(name)
        watcher = FakeWatcher(name, cmd)
        watcher.spec = watcher_from_mapping(name, {"cmd": cmd, **options}, strict=True)
        self._take_in(watcher)
        self.said.append(f"add {name}: {cmd}")
        return watcher

    def remove(self, name: str, *, nostop: bool = False) -> FakeTicket:
        """Forget a watcher. Raises `UnknownWatcher`."""
        watcher = self.watcher(name)
        del self._watchers[name_key(name)]
        return self._wish(f"remove {watcher.name}{' without a stop' if nostop else ''}")

    def start_all(self) -> FakeTicket:
        """Write it down."""
        return self._wish("start all")

    def stop_all(self) -> FakeTicket:
        """Write it down."""
        return self._wish("stop all")

    def restart_all(self) -> FakeTicket:
        """Write it down."""
        return self._wish("restart all")

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> FakeTicket:
        """Write it down."""
        how = "" if graceful else " not gracefully"
        return self._wish(f"reload all{how}{' one by one' if sequential else ''}")

    def reopen_all(self) -> None:
        """Write it down."""
        self.said.append("reopen all")

    def plan_config(self) -> FakePreview:
        """Return a plan in which nothing differs."""
        self.said.append("plan the configuration")
        return self._preview()

    def reload_config(self) -> tuple[FakePreview, FakeTicket]:
        """Write it down."""
        return self._preview(), self._wish("reload the configuration")

    def quit(self) -> FakeTicket:
        """Write it down."""
        return self._wish("quit")

    def plugins(self) -> Sequence[PluginView]:
        """Return what the test has put there."""
        return self.hosted

    def option_of_watchers(self) -> Mapping[str, Option]:
        """Return the declared options of watchers by name."""
        return declared_options(WatcherSpec)

    async def process_info(self, pids: Sequence[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return an info object for each pid, as the process table would."""
        return {pid: self.infos.get(pid, info_of(pid)) for pid in pids}

    async def extra_stats(
        self, subjects: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Return what the test has put into ``extras``."""
        return {
            subject.pid: self.extras[subject.pid]
            for subject in subjects
            if subject.pid in self.extras
        }

    async def own_info(self) -> Mapping[str, Any]:
        """Return the info object of the daemon."""
        return info_of(1, cmdline="circusd")

    def _preview(self) -> FakePreview:
        return FakePreview(tuple(watcher.name for watcher in self.watchers()))

    def _wish(self, wish: str) -> FakeTicket:
        self.said.append(wish)
        return FakeTicket(error=self.error)

    def _take_in(self, one: FakeWatcher) -> None:
        one.said, one.numbers = self.said, self._numbers
        one.pids = {wid: next(self._numbers) for wid in one.pids}
        self._watchers[name_key(one.name)] = one


def info_of(pid: int, cmdline: str = "true") -> dict[str, Any]:
    """Return what the process table tells of a process that does little."""
    return {
        "pid": pid,
        "cmdline": cmdline,
        "username": "root",
        "nice": 0,
        "mem_info1": "1.46M",
        "mem_info2": "2.44M",
        "cpu": 0.0,
        "mem": 0.006,
        "ctime": "0:00.00",
        "create_time": 1332265600.0,
        "age": 1.0,
        "children": [],
    }


if TYPE_CHECKING:  # the fake keeps to the same Protocol as the daemon
    _FAKE: Supervisor = FakeSupervisor()
