"""A daemon in memory: watchers, sockets, and what the process table would tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from cvec_circus_core.config.mappings import (
    socket_from_mapping,
    watcher_from_mapping,
)
from cvec_circus_core.extend.ports import ConfigReading, Supervisor
from cvec_circus_core.model.errors import (
    AlreadyExists,
    BadMessage,
    CircusError,
    Conflict,
    UnknownWatcher,
)
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Option, declared_options
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import (
    PluginView,
    RuntimeChange,
    SocketView,
    StatsSubject,
)
from cvec_circus_core.policy.name_patterns import matching
from cvec_circus_core.testing.fake_watcher import FIRST_PID, FakeTicket, FakeWatcher

FIRST_DESCRIPTOR = 10


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
        self.changes_at_run_time: list[RuntimeChange] = []
        self.facts: Mapping[str, object] = {}
        """What the daemon's processes are."""
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

    def restart_all(self, reading: ConfigReading | None = None) -> FakeTicket:
        """Write it down."""
        return self._wish("restart all")

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> FakeTicket:
        """Write it down."""
        how = "" if graceful else " not gracefully"
        return self._wish(f"reload all{how}{' one by one' if sequential else ''}")

    def reopen_all(self) -> None:
        """Write it down."""
        self.said.append("reopen all")

    async def read_config(self) -> ConfigReading:
        """Return something that stands for a configuration."""
        return object()

    def plan_config(
        self, reading: ConfigReading | None = None, *, allow_empty: bool = False
    ) -> FakePreview:
        """Return a plan in which nothing differs."""
        self.said.append(f"plan the configuration{', even an empty one' if allow_empty else ''}")
        return self._preview()

    def reload_config(
        self, reading: ConfigReading | None = None, *, allow_empty: bool = False
    ) -> tuple[FakePreview, FakeTicket]:
        """Write it down."""
        also = ", even an empty one" if allow_empty else ""
        return self._preview(), self._wish(f"reload the configuration{also}")

    def runtime_changes(self) -> Sequence[RuntimeChange]:
        """Return what the test has put there."""
        return self.changes_at_run_time

    async def save_config(self, sections: Mapping[str, Mapping[str, str]]) -> str:
        """Write it down."""
        self.said.append(f"save {sections}")
        return "app.saved.ini"

    def quit(self) -> FakeTicket:
        """Write it down."""
        return self._wish("quit")

    def plugins(self) -> Sequence[PluginView]:
        """Return what the test has put there."""
        return self.hosted

    def daemon_facts(self) -> Mapping[str, object]:
        """Return what the test has put there."""
        return self.facts

    async def upgrade(self, venv: str | None, watch: float, limit: float) -> Mapping[str, object]:
        """Write it down."""
        self.said.append(f"upgrade to {venv}, watched for {watch:g} s after {limit:g} s at most")
        return {"number": 1, "version": "0.0"}

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
