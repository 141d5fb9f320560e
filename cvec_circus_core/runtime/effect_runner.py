"""Effects become acts. Acts answer with inputs, through the same inbox as everybody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import assert_never

from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.events import WatcherStopped
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.outcome import Outcome
from cvec_circus_core.model.socket_use import Served, socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.launch import Launch, SpawnEnvironment, prepare
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
    SocketReady,
    Spawned,
    SpawnFailed,
    Swept,
    TicketId,
)
from cvec_circus_core.runtime.process_notices import WatcherNotices
from cvec_circus_core.runtime.streams.watcher_streams import WatcherStreams
from cvec_circus_core.runtime.watcher_hooks import WatcherHooks
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.protocols import Scope

log = logging.getLogger(__name__)


def _nothing() -> None:
    return


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
    ) -> None:
        self._world = world
        self._post = post
        self._settle = settle
        self._spec = spec
        self._streams = streams
        self._notices = notices
        self._hooks = hooks
        self._launch: tuple[WatcherSpec, SpawnEnvironment, Launch] | None = None
        self._stop_listening: Callable[[], None] = _nothing
        self._served: dict[int, Served] = {}
        """What processes were given; the sockets may be others when they go."""

    def perform(self, effect: Effect) -> None:
        """Carry out one effect."""
        match effect:
            case Spawn(wid):
                self._world.turns.add_birth(lambda: self._spawn(wid))
            case AskHook():
                self._hooks.ask(effect)
            case Signal(pid, signum):
                send = self._finish if effect.asks_to_go else self._signal
                self._hooks.around_signal(pid, signum, partial(send, effect))
            case KillLeftovers(pid, signum, grace):
                self._world.processes.sweep(pid, signum, grace, self._on_swept)
            case Listen():
                self._listen()
            case Unlisten():
                self._stop_listening()
            case Emit(event):
                self._world.emit(event)
                self._hooks.tell(event)
                if isinstance(event, WatcherStopped):
                    self._streams.close_later()
            case Settle(ticket, outcome):
                self._settle(ticket, outcome)
            case _:
                assert_never(effect)

    def _spawn(self, wid: int) -> None:
        name = self._spec().name
        try:
            with (
                self._plan(wid) as plan,
                self._notices.equip(plan) as equipped,
                self._streams.open_pipes(wid, equipped.plan) as pipes,
            ):
                pid = self._world.processes.spawn(pipes.plan, self._on_exit)
                pipes.started(pid)
                equipped.pid = pid
            self._remember_served(pid)
        except (CircusError, ValueError) as error:
            log.warning("watcher %s: process %d could not start: %s", name, wid, error)
            self._post(SpawnFailed(wid, str(error)))
        except Exception as error:
            log.exception("watcher %s: process %d could not start", name, wid)
            self._post(SpawnFailed(wid, f"unexpected {type(error).__name__}: {error}"))
        else:
            self._post(Spawned(wid, pid, self._world.chance()))

    def _listen(self) -> None:
        spec, shelf = self._spec(), self._world.sockets
        names = [
            name
            for name in socket_use(spec, shelf.descriptors).names
            if name in shelf.descriptors and name not in shelf.own
        ]
        if not names:
            log.warning("watcher %s: there is no socket to wait at", spec.name)
        self._stop_listening()
        self._stop_listening = shelf.knocking.wait(self._world.loop, names, self._on_knock)

    def _on_knock(self) -> None:
        log.info("watcher %s: somebody has connected", self._spec().name)
        self._post(SocketReady())

    def launch(self) -> Launch:
        """Return how processes of the present spec start, here and now. Raises ValueError."""
        spec, around = self._spec(), self._world.around()
        if self._launch is None or self._launch[0] is not spec or self._launch[1] is not around:
            self._launch = (spec, around, prepare(spec, around))
        return self._launch[2]

    def _plan(self, wid: int) -> AbstractContextManager[LaunchPlan]:
        """Give the plan for one slot, with sockets of its own that are the child's alone."""
        launch = self.launch()
        if launch.own_sockets:
            return self._plan_with_sockets(launch, wid)
        return nullcontext(launch.for_slot(wid))

    @contextmanager
    def _plan_with_sockets(self, launch: Launch, wid: int) -> Iterator[LaunchPlan]:
        with ExitStack() as stack:
            own = {
                name: stack.enter_context(self._world.sockets.one_of_its_own(name)).fileno()
                for name in launch.own_sockets
            }
            yield launch.for_slot(wid, own)

    def _remember_served(self, pid: int) -> None:
        names = self.launch().sockets.names
        served = self._world.sockets.served(names) if names else None
        if served:
            self._served[pid] = served

    def _finish(self, effect: Signal) -> None:
        served = self._served.get(effect.pid)
        send = partial(self._signal, effect)
        if served is None:
            send()
        else:
            patience = self._spec().finish_timeout
            self._world.processes.finish(effect.pid, effect.signum, served, patience, send)

    def _signal(self, effect: Signal) -> None:
        processes = self._world.processes
        try:
            match effect.reach:
                case Reach.TREE:
                    processes.signal(effect.pid, effect.signum, Scope.TREE)
                case Reach.CHILDREN:
                    processes.signal(effect.pid, effect.signum, Scope.CHILDREN)
                    processes.signal(effect.pid, effect.signum)
                case Reach.PROCESS:
                    processes.signal(effect.pid, effect.signum)
                case _:
                    assert_never(effect.reach)
        except CircusError as error:
            log.warning("watcher %s: %s", self._spec().name, error)

    def _on_exit(self, pid: int, exit_: Exit) -> None:
        grace = self._spec().graceful_timeout if exit_.left_behind else 0.0
        self._streams.process_ended(pid, grace)
        self._notices.process_ended(pid)
        self._served.pop(pid, None)
        self._post(Exited(pid, exit_.code, exit_.left_behind))

    def _on_swept(self, pid: int) -> None:
        self._post(Swept(pid))
