"""Effects become acts. Acts answer with inputs, through the same inbox as everybody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial
from typing import assert_never

from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.events import Event, ProcessSpawned, WatcherStopped
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import NOWHERE, Served
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Outcome
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.model.shortages import is_shortage, shortage_of
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.policy.watcher.effects import (
    AskHook,
    Effect,
    Emit,
    KillLeftovers,
    Listen,
    Reach,
    Settle,
    Signal,
    Spawn,
    Unlisten,
)
from cvec_circus_core.policy.watcher.inputs import (
    Exited,
    Input,
    Ready,
    SocketReady,
    Spawned,
    SpawnFailed,
    Swept,
    TicketId,
)
from cvec_circus_core.runtime.address_conflicts import (
    NO_CONFLICT,
    AddressConflict,
    GoingPids,
    conflict_of,
)
from cvec_circus_core.runtime.launch_cache import LaunchCache
from cvec_circus_core.runtime.process_notices import Equipment, WatcherNotices
from cvec_circus_core.runtime.streams.process_pipes import ProcessPipes
from cvec_circus_core.runtime.streams.watcher_streams import WatcherStreams
from cvec_circus_core.runtime.takeover_notes import FoundProcess, TakeoverNotes
from cvec_circus_core.runtime.watcher_hooks import WatcherHooks
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.protocols import Scope, SignalResult, SpawnResult
from cvec_circus_core.system.state_store import TakeoverData

log = logging.getLogger(__name__)


_SCOPES = {
    Reach.PROCESS: Scope.PROCESS,
    Reach.CHILDREN: Scope.FAMILY,
    Reach.TREE: Scope.TREE,
}


class _Start(Struct, frozen=True):
    """A process that is about to start, with what was prepared for it."""

    wid: int
    equipment: Equipment
    pipes: ProcessPipes
    served: Served | None
    """Where it will listen; the sockets may be others when it goes."""


def _nothing() -> None:
    return


def _replacing_nothing() -> None:
    return None


class EffectRunner:
    """Carries out the effects of one watcher."""

    def __init__(
        self,
        world: World,
        post: Callable[[Input], None],
        settle: Callable[[TicketId, Outcome], None],
        spec: Callable[[], WatcherSpec],
        streams: WatcherStreams,
        notices: WatcherNotices,
        hooks: WatcherHooks,
        notes: TakeoverNotes,
        outdated: Callable[[], Collection[int] | None] = _replacing_nothing,
    ) -> None:
        self._world = world
        self._outdated = outdated
        """Returns the pids of those that are to be replaced; None where none are."""
        self._post = post
        self._settle = settle
        self._spec = spec
        self._streams = streams
        self._notices = notices
        self._hooks = hooks
        self._notes = notes
        self.launches = LaunchCache(spec, world.around)
        self._stop_listening: Callable[[], None] = _nothing
        self._served: dict[int, Served] = {}
        """What processes were given; the sockets may be others when they go."""

    def perform(self, effect: Effect) -> None:
        """Carry out one effect."""
        match effect:
            case Spawn(wid):
                self._world.turns.add_spawn(lambda: self._spawn(wid))
            case AskHook():
                self._hooks.ask(effect)
            case Signal(pid, signum):
                send = self._ask_to_go if effect.asks_to_go else self._signal
                self._hooks.around_signal(pid, signum, partial(send, effect))
            case KillLeftovers(pid, signum, grace):
                self._world.processes.kill_leftovers(pid, signum, grace, self._on_swept)
            case Listen():
                self._listen()
            case Unlisten():
                self._stop_listening()
            case Emit(event):
                self._emit(event)
                if isinstance(event, WatcherStopped):
                    self._streams.close_later()
            case Settle(ticket, outcome):
                self._settle(ticket, outcome)
            case _:
                assert_never(effect)

    def _spawn(self, wid: int) -> None:
        self._world.slow_paths.when_answering(
            self.launches.paths,
            partial(self._spawn_now, wid),
            partial(self._post_failure, wid, shortage=True),
        )

    def _spawn_now(self, wid: int) -> None:
        try:
            start = self._prepare_start(wid)
        except (CircusError, ValueError) as error:
            self._post_failure(wid, str(error), shortage=is_shortage(error))
        except Exception as error:
            if sentence := shortage_of(error):
                self._post_failure(wid, sentence, shortage=True)
                return
            log.exception("watcher %s: process %d could not start", self._spec().name, wid)
            sentence = f"unexpected {type(error).__name__}: {error}"
            self._post(SpawnFailed(wid, sentence, is_shortage(error)))
        else:
            self._world.processes.spawn(
                start.equipment.plan,
                start.pipes.stdio,
                partial(self._on_spawned, start),
                self._on_exit,
                self._takeover_data(start),
            )

    def _takeover_data(self, start: _Start) -> TakeoverData:
        title = f"{start.wid} {name_key(self._spec().name)}"
        if not self._world.store.is_kept:
            return TakeoverData(title=title)
        descriptors = {**start.pipes.reading, **start.equipment.descriptors}
        return TakeoverData(self._notes.label_for(start.wid), descriptors, title)

    def take_over(self, process: FoundProcess) -> None:
        """Have a process that an earlier daemon has started: its pipes, its words, its end."""
        found, kept, spec = process.found, process.kept, self._spec()
        if kept.is_confirmed:
            self._take_over_rest(process)
            return
        if not process.is_told:
            self._emit(ProcessSpawned(spec.name, found.wid, found.pid))
        self._notices.take_over(found, kept.descriptors)
        self._streams.take_over(found, kept.descriptors)
        self._post(found)
        names = socket_use(spec, self._world.sockets.names).names
        served = self._world.sockets.served(names) if names else None
        if served:
            self._served[found.pid] = served
            if spec.ready.sign is Sign.AUTO and not found.ready:
                self._world.processes.tell_when_serving(found.pid, served, self._on_serving)
        self._world.store.take_over(kept, self._on_exit)

    def _take_over_rest(self, process: FoundProcess) -> None:
        """Read what a process has written whose end was told already."""
        self._notices.take_over(process.found, process.kept.descriptors)
        self._streams.take_over(process.found, process.kept.descriptors)
        self._world.store.take_over(process.kept, self._on_exit)
        self._streams.process_ended(process.found.pid, 0.0)
        self._notices.process_ended(process.found.pid)

    def _emit(self, event: Event) -> None:
        self._world.emit(event)
        self._notes.was_told(event)
        self._hooks.tell(event)

    def _prepare_start(self, wid: int) -> _Start:
        launch = self.launches.launch()
        names = launch.sockets.names
        served = self._world.sockets.served(names) if names else None
        equipment = self._notices.equip(launch.for_slot(wid))
        try:
            pipes = self._streams.open_pipes(wid, equipment.plan)
        except BaseException:
            equipment.close()
            raise
        return _Start(wid, equipment, pipes, served)

    def _on_spawned(self, start: _Start, result: SpawnResult) -> None:
        with closing(start.equipment), closing(start.pipes):
            if result.pid is None:
                self._post_failure(start.wid, result.problem, shortage=result.is_shortage)
                return
            if start.served:
                self._served[result.pid] = start.served
            start.pipes.started(result.pid)
            start.equipment.started(result.pid)
        is_watched = bool(start.served) and self._spec().ready.sign is Sign.AUTO
        self._post(Spawned(start.wid, result.pid, self._world.chance(), is_watched))
        if is_watched and start.served:
            self._world.processes.tell_when_serving(result.pid, start.served, self._on_serving)

    def _on_serving(self, pid: int) -> None:
        self._post(Ready(pid))

    def _post_failure(self, wid: int, reason: str, *, shortage: bool) -> None:
        log.warning("watcher %s: process %d could not start: %s", self._spec().name, wid, reason)
        self._post(SpawnFailed(wid, reason, shortage))

    def _listen(self) -> None:
        spec, sockets = self._spec(), self._world.sockets
        names = [
            name
            for name in socket_use(spec, sockets.names).names
            if name in sockets.names and name not in sockets.per_process
        ]
        if not names:
            log.warning("watcher %s: there is no socket to wait at", spec.name)
        self._stop_listening()
        self._stop_listening = sockets.activation.wait(names, self._on_connection)

    def _on_connection(self) -> None:
        log.info("watcher %s: somebody has connected", self._spec().name)
        self._post(SocketReady())

    def _ask_to_go(self, effect: Signal) -> None:
        self._world.processes.signal_when_idle(
            effect.pid,
            effect.signum,
            _SCOPES[effect.reach],
            self._served.get(effect.pid, NOWHERE),
            self._spec().finish_timeout,
            self._on_signalled,
        )

    def _signal(self, effect: Signal) -> None:
        self._world.processes.signal(
            effect.pid, effect.signum, _SCOPES[effect.reach], self._on_signalled
        )

    def _on_signalled(self, result: SignalResult) -> None:
        if result.problem:
            log.warning("watcher %s: %s", self._spec().name, result.problem)

    def _on_exit(self, pid: int, exit_: Exit) -> None:
        grace = self._spec().graceful_timeout if exit_.left_behind else 0.0
        # What ends well has not failed to listen, and what was told to go neither.
        is_failure = exit_.code is not None and exit_.code > 0
        conflict = self._conflict_of(pid) if is_failure else NO_CONFLICT
        self._streams.process_ended(pid, grace)
        self._notices.process_ended(pid)
        self._served.pop(pid, None)
        self._post(
            Exited(
                pid,
                exit_.code,
                exit_.left_behind,
                conflict.is_with_old,
                conflict.holder,
                conflict.is_with_leaving,
            )
        )

    def _conflict_of(self, pid: int) -> AddressConflict:
        going = GoingPids(self._outdated(), self._world.neighbours.leaving_pids)
        return conflict_of(self._streams.last_output(pid), self._spec(), going)

    def _on_swept(self, pid: int) -> None:
        self._post(Swept(pid))
