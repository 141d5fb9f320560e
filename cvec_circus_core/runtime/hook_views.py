"""What a hook gets to see as ``watcher`` and ``arbiter``: safe from any thread.

A question is answered in the event loop, which owns everything, so that what a hook sees is so at
the moment it asks. A wish is made and not waited for: it may need the answer of that very hook.
Both come in by the port that commands use (`extend/ports.py`). What is written, as
``watcher.numprocesses = 2`` or ``watcher.env["A"] = "1"``, counts for processes that are started
later, or raises; nothing is taken and forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType

from cvec_circus_core.extend.ports import SignalSelection, Supervisor, Ticket, WatcherPort
from cvec_circus_core.extend.process_verbs import ProcessVerbs
from cvec_circus_core.model.errors import UnknownWatcher
from cvec_circus_core.model.names import name_key, topic_name
from cvec_circus_core.model.views import WatcherStatus, WatcherView
from cvec_circus_core.policy.order import start_order
from cvec_circus_core.runtime.hook_environment import HookEnvironment
from cvec_circus_core.runtime.hook_listings import WatcherList, WatchersByName
from cvec_circus_core.runtime.hook_process import HookProcess
from cvec_circus_core.runtime.hook_wishes import HookWish, in_loop, outcome_of, wished
from cvec_circus_core.runtime.world import World

_WISHES = ("start", "stop", "restart")


class HookWatcher(ProcessVerbs[HookWish]):
    """One watcher, as hooks see it. Options are attributes: ``watcher.numprocesses``.

    ``owner`` is the name of the watcher whose hooks these are.
    """

    def __init__(self, watcher: WatcherPort, world: World, owner: str) -> None:
        vars(self).update(_watcher=world.seen_by_hooks(owner, watcher), _world=world, _owner=owner)

    _watcher: WatcherPort
    _world: World
    _owner: str

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        spec = in_loop(self._world, lambda: self._watcher.spec)
        if name in spec.extra:
            return spec.extra[name]
        try:
            option: object = getattr(spec, name)
        except AttributeError:
            raise AttributeError(f"a watcher has no {name}") from None
        return option

    def __setattr__(self, name: str, value: object) -> None:
        """Set an option for processes that are started later. Raises `BadMessage`."""
        in_loop(self._world, lambda: self._watcher.change({name: value}, renew=False))

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self._watcher.name

    @property
    def res_name(self) -> str:
        """The name as it stands in event topics."""
        return topic_name(self.name)

    @property
    def arbiter(self) -> HookArbiter:
        """All watchers."""
        return HookArbiter(self._world.neighbours.watchers, self._world, self._owner)

    @property
    def env(self) -> HookEnvironment:
        """The environment of its next process; what is written there counts for later ones."""
        variables, spec = in_loop(
            self._world, lambda: (self._watcher.environment(1), self._watcher.spec)
        )
        return HookEnvironment(variables, partial(setattr, self, "env"), spec.env)

    @property
    def processes(self) -> Mapping[int, HookProcess]:
        """What runs, by pid."""
        processes = (HookProcess(process, self, self._world) for process in self._view().processes)
        return {process.pid: process for process in processes}

    @property
    def pids(self) -> list[int]:
        """The pids of what runs."""
        return [process.pid for process in self._view().processes]

    def get_active_pids(self) -> list[int]:
        """Return the pids of what runs."""
        return self.pids

    @property
    def _options(self) -> Mapping[str, object]:
        return MappingProxyType(dict(in_loop(self._world, lambda: self._watcher.spec).extra))

    def options(self) -> list[tuple[str, object]]:
        """Return all options, sorted by name."""
        return sorted(in_loop(self._world, self._watcher.options).items())

    @property
    def stopped(self) -> bool:
        """Whether it is down."""
        return self.is_stopped()

    def status(self) -> str:
        """Return the state word."""
        return self._view().status.value

    def is_active(self) -> bool:
        """Tell whether it has had all its processes."""
        return self._view().status is WatcherStatus.ACTIVE

    def is_stopped(self) -> bool:
        """Tell whether it is down, or has just been told to come up."""
        view = self._view()
        is_early = view.status is WatcherStatus.STARTING and not view.processes
        return view.status is WatcherStatus.STOPPED or is_early

    def is_stopping(self) -> bool:
        """Tell whether it is on its way down."""
        return self._view().status is WatcherStatus.STOPPING

    def info(self) -> Mapping[int, object]:
        """Return the info object of every process, by pid."""
        supervisor = self._world.supervisor_of(self._owner)
        return outcome_of(self._world, lambda: supervisor.process_info(self.pids))

    def notify_event(self, topic: str, msg: Mapping[str, object]) -> None:
        """Publish an event of the watcher."""
        body = dict(msg)
        in_loop(self._world, lambda: self._watcher.announce(topic, body))

    send_msg = notify_event

    def wish(self, go: str) -> HookWish:
        """Ask for ``start``, ``stop`` or ``restart``, and do not wait for it."""
        if go not in _WISHES:
            raise ValueError(f"{go!r} is none of {', '.join(_WISHES)}")
        return self._wish(getattr(self._watcher, go))

    def start(self) -> HookWish:
        """Want it up."""
        return self.wish("start")

    def stop(self) -> HookWish:
        """Want it down."""
        return self.wish("stop")

    def restart(self) -> HookWish:
        """Want it down, and up again."""
        return self.wish("restart")

    def reload(self, graceful: bool = True, sequential: bool = False) -> HookWish:
        """Want all its processes replaced."""
        return self._wish(lambda: self._watcher.reload(graceful=graceful, sequential=sequential))

    def set_numprocesses(self, np: int) -> HookWish:
        """Want this many processes."""
        return self._wish(lambda: self._watcher.resize(np))

    def incr(self, nb: int = 1) -> HookWish:
        """Want so many more processes."""
        return self._wish(lambda: self._watcher.resize(self._watcher.spec.numprocesses + nb))

    def decr(self, nb: int = 1) -> HookWish:
        """Want so many fewer processes."""
        return self.incr(-nb)

    def spawn_process(self) -> HookWish:
        """Want one more process."""
        return self.incr()

    def set_opt(self, key: str, val: object) -> HookWish:
        """Set one option, as ``set`` does. Raises `BadMessage`."""
        return self._wish(lambda: self._watcher.change({key: val}))

    def _signal(self, signum: int, selection: SignalSelection) -> HookWish:
        return self._wish(lambda: self._watcher.signal(signum, selection))

    def _kill(self, pid: int | None, signum: int | None, grace: float | None) -> HookWish:
        return self._wish(lambda: self._watcher.kill(pid, signum, grace))

    def __len__(self) -> int:
        return len(self._view().processes)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HookWatcher) and name_key(self.name) == name_key(other.name)

    def __hash__(self) -> int:
        return hash(name_key(self.name))

    def _view(self) -> WatcherView:
        return in_loop(self._world, self._watcher.view)

    def _wish(self, act: Callable[[], Ticket]) -> HookWish:
        return wished(self._world, act)


class HookArbiter:
    """All watchers, as the hooks of one of them see them. Options are attributes to read."""

    def __init__(
        self, watchers: Callable[[], Iterable[WatcherPort]], world: World, owner: str
    ) -> None:
        vars(self).update(_watchers=watchers, _world=world, _owner=owner)

    _watchers: Callable[[], Iterable[WatcherPort]]
    _world: World
    _owner: str

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            option: object = getattr(self._supervisor.spec, name)
        except AttributeError:
            raise AttributeError(f"an arbiter has no {name}") from None
        return option

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a daemon's options are those of its file."""
        raise AttributeError(f"{name} of the arbiter is set in its file, and not by a hook")

    @property
    def _supervisor(self) -> Supervisor:
        return self._world.supervisor_of(self._owner)

    @property
    def watchers(self) -> WatcherList[HookWatcher]:
        """All watchers, highest priority first; one that is taken out is removed."""
        return WatcherList(self.iter_watchers(), self._forget)

    @property
    def _watchers_names(self) -> WatchersByName[HookWatcher]:
        pairs = ((name_key(watcher.name), watcher) for watcher in self.iter_watchers())
        return WatchersByName(pairs, self._forget)

    def _forget(self, watcher: HookWatcher) -> None:
        try:
            self.rm_watcher(watcher.name)
        except UnknownWatcher:
            pass  # It has been taken out of the other listing.

    def get_watcher(self, name: str) -> HookWatcher:
        """Return a watcher by name, in any case. Raises KeyError."""
        return {name_key(watcher.name): watcher for watcher in self.iter_watchers()}[name_key(name)]

    def iter_watchers(self, reverse: bool = True) -> list[HookWatcher]:
        """Return all watchers, highest priority first, or last without ``reverse``."""
        watchers = in_loop(self._world, lambda: start_order(self._watchers()))
        ordered = watchers if reverse else watchers[::-1]
        return [HookWatcher(watcher, self._world, self._owner) for watcher in ordered]

    def numwatchers(self) -> int:
        """Return how many watchers there are."""
        return len(self.iter_watchers())

    def numprocesses(self) -> int:
        """Return how many processes run."""
        return sum(len(watcher.pids) for watcher in self.iter_watchers())

    def statuses(self) -> dict[str, str]:
        """Return the state words by name."""
        return {watcher.name: watcher.status() for watcher in self.iter_watchers()}

    def add_watcher(self, name: str, cmd: str, **options: object) -> HookWatcher:
        """Add a watcher, stopped. Raises `AlreadyExists`, `BadMessage`."""
        port = in_loop(self._world, lambda: self._supervisor.add(name, cmd, options))
        return HookWatcher(port, self._world, self._owner)

    def rm_watcher(self, name: str, nostop: bool = False) -> HookWish:
        """Want a watcher stopped and forgotten. Raises `UnknownWatcher`."""
        return self._wish(lambda: self._supervisor.remove(name, nostop=nostop))

    def start_watchers(self) -> HookWish:
        """Want all that start by themselves up."""
        return self._wish(lambda: self._supervisor.start_all())

    def stop_watchers(self) -> HookWish:
        """Want all down."""
        return self._wish(lambda: self._supervisor.stop_all())

    def reload(self, graceful: bool = True, sequential: bool = False) -> HookWish:
        """Want the processes of all replaced."""
        return self._wish(
            lambda: self._supervisor.reload_all(graceful=graceful, sequential=sequential)
        )

    def restart(self) -> HookWish:
        """Want all down, the configuration read again, and up."""
        reading = None
        if threading.get_ident() != self._world.thread:
            reading = outcome_of(self._world, self._supervisor.read_config)
        return self._wish(lambda: self._supervisor.restart_all(reading))

    def stop(self) -> HookWish:
        """Want everything stopped, and an end."""
        return self._wish(lambda: self._supervisor.quit())

    def _wish(self, act: Callable[[], Ticket]) -> HookWish:
        return wished(self._world, act)
