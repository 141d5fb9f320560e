"""What a daemon that was killed has left is taken over by the next one: on_daemon_death = adopt.

A process is taken over that the state file names, that is the same as then, and whose watcher is in
the file still. It keeps its wid, and counts as ready. Which generation it is of nobody knows any
more: it counts as started with the options that the file gives now.

Its output is read on by its pipes, as far as it has not written while nobody read: that ends most
programs, and they are started anew. Of a watcher that uses managed sockets, a process is taken over
if it has all of them, at the addresses that the file gives; they go on as they are, without a
moment in which nobody listens. A process that can not be taken over is stopped.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.managed_sockets import bind_plan
from cvec_circus_core.runtime.takeover_notes import note_adopted
from cvec_circus_core.system.clock import moment_of_start
from cvec_circus_core.system.net.bind import resolved
from cvec_circus_core.system.processes.exit_watch import has_pidfds
from cvec_circus_core.system.processes.foreign_files import outputs_of, sockets_within
from cvec_circus_core.system.processes.state_file import Recorded
from cvec_circus_core.system.state_store import Inventory, KeptProcess

_LISTENING = ("SOCK_STREAM", "SOCK_SEQPACKET")


class Adoption:
    """Finds out who can be taken over, and with what."""

    def __init__(self, loaded: Loaded) -> None:
        self._watchers = {name_key(watcher.name): watcher for watcher in loaded.watchers}
        plans = map(bind_plan, loaded.sockets)
        self._plans = {plan.name: plan for plan in plans if not plan.so_reuseport}
        self._names = [each.name for each in loaded.sockets]
        self._sockets: dict[str, socket.socket] = {}
        self.adopted: dict[int, Recorded] = {}
        """Those who are taken over."""
        self.refused: dict[int, str] = {}
        """Why others are not, by pid."""

    def take(self, processes: Iterable[Recorded]) -> Inventory:
        """Return what a daemon begins with that takes over all that can be."""
        for process in processes:
            if (problem := self._problem(process)) is None:
                self.adopted[process.pid] = process
            else:
                self.refused[process.pid] = problem
        inventory = Inventory()
        outputs = outputs_of(self.adopted)
        for pid, process in self.adopted.items():
            spec, started_at = self._watchers[process.watcher], moment_of_start(process.started)
            number = len(inventory.processes) + 1
            kept = KeptProcess(number, pid, b"", outputs[pid], None, False)
            note_adopted(inventory, spec, process.wid, kept, started_at)
        for name, copy in self._sockets.items():
            inventory.sockets.append((self._plans[name], _opened(self._plans[name], copy)))
        return inventory

    def _problem(self, process: Recorded) -> str | None:
        if not has_pidfds():
            return "this system has no pidfds"
        spec = self._watchers.get(process.watcher)
        if spec is None:
            return "the configuration has no such watcher"
        wids = {(each.wid, each.watcher) for each in self.adopted.values()}
        if (process.wid, process.watcher) in wids:
            return "another one has its place"
        missing = self._missing_sockets(process.pid, spec)
        return f"it has no socket {', '.join(missing)} that can be had" if missing else None

    def _missing_sockets(self, pid: int, spec: WatcherSpec) -> list[str]:
        """Have the managed sockets that a process of a watcher needs; return those it has not."""
        names = self._plans.keys() & socket_use(spec, self._names).names
        if not names:
            return []
        try:
            sockets = sockets_within(pid)
        except OSError:
            return sorted(names)
        matches = {name: copy for copy in sockets for name in names if self._is(copy, name)}
        missing = sorted(names - matches.keys())
        if not missing:
            self._sockets = {**matches, **self._sockets}
        kept = {copy.fileno() for copy in self._sockets.values()}
        for copy in sockets:
            if copy.fileno() not in kept:
                copy.close()
        return missing

    def _is(self, copy: socket.socket, name: str) -> bool:
        """Tell whether a socket is bound where the configuration says."""
        plan = self._plans[name]
        if copy.type != getattr(socket, plan.type):
            return False
        if plan.type in _LISTENING and not copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        try:
            if plan.path is not None:
                path = os.path.abspath(plan.path)
                return copy.getsockname() == path and os.path.exists(path)
            return plan.port != 0 and copy.getsockname()[:2] == resolved(plan)[:2]
        except (OSError, CircusError):
            return False


def _opened(plan: BindPlan, copy: socket.socket) -> OpenSocket:
    number, where = copy.fileno(), copy.getsockname()
    host, port = (plan.host, plan.port) if plan.path is not None else where[:2]
    path = None if plan.path is None else os.path.abspath(plan.path)
    listens = plan.type in _LISTENING
    copy.detach()
    return OpenSocket(plan.name, number, host, port, path, plan.backlog, listens)
