"""`Arbiter` and `get_arbiter`: a whole daemon inside a program (spec: library, §1 and §2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import zmq

from cvec_circus_core.config.mappings import arbiter_from_mapping, texts_read
from cvec_circus_core.embed.caller_objects import show_bound, through
from cvec_circus_core.embed.descriptions import plugin_specs, refuse_twins, split_options
from cvec_circus_core.embed.engine_runner import MakeLoop, Running
from cvec_circus_core.embed.home import Home
from cvec_circus_core.embed.portal import Result, nothing_to_do, running_loop
from cvec_circus_core.embed.watcher import Watcher
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.ports import Supervisor, Ticket
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.hosting.classes import NO_DEFAULTS
from cvec_circus_core.hosting.placement import place, watcher_of
from cvec_circus_core.model.errors import BadMessage, CircusError
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.order import start_order
from cvec_circus_core.runtime.managed_sockets import spec_of
from cvec_circus_core.system.net.sockets import CircusSocket

log = logging.getLogger(__name__)

ENDPOINT = "tcp://127.0.0.1:5555"
PUBSUB_ENDPOINT = "tcp://127.0.0.1:5556"


_WITHOUT_EFFECT = frozenset({"proc_name", "ssh_server"})
"""Keywords of the older library that mean nothing inside a program."""


class Arbiter:
    """Keeps watchers running and answers on its endpoints until it is stopped.

    ``context`` is a ZeroMQ context to use instead of one of its own. ``endpoint=None`` serves
    nobody; port 0 (``tcp://127.0.0.1:*``) takes a free one, told by `endpoints`. Further keywords
    are the options of the ``[circus]`` section. In a running event loop, `start` and `stop` give
    something to await; elsewhere they block, and ``background=True`` runs all in a thread. Each
    of ``plugins`` has a plugin's options, its class as ``use``, and a ``name`` if it needs one.
    """

    _make_loop: MakeLoop | None = None
    """Makes the loop that `start` runs where none runs; asyncio's own where not given."""

    def __init__(
        self,
        watchers: Iterable[Watcher] = (),
        endpoint: str | None = ENDPOINT,
        pubsub_endpoint: str | None = PUBSUB_ENDPOINT,
        check_delay: float = 1.0,
        prereload_fn: Callable[[Arbiter], object] | None = None,
        context: zmq.Context[Any] | None = None,
        loop: object = None,
        stats_endpoint: str | None = None,
        plugins: Sequence[Mapping[str, Any]] | None = None,
        background: bool = False,
        sockets: Iterable[CircusSocket] = (),
        **options: object,
    ) -> None:
        self._watchers = list(watchers)
        refuse_twins(watcher.name for watcher in self._watchers)
        self._serves = endpoint is not None and pubsub_endpoint is not None
        values = {
            "endpoint": endpoint,
            "pubsub_endpoint": pubsub_endpoint,
            "stats_endpoint": stats_endpoint,
            "check_delay": check_delay,
            **{key: value for key, value in options.items() if key not in _WITHOUT_EFFECT},
        }
        if isinstance(values.get("loggerconfig"), Mapping):
            # The log is the program's own, and so is its configuration.
            values["loggerconfig"] = None
        present = {key: value for key, value in values.items() if value is not None}
        self._spec = arbiter_from_mapping(texts_read(ArbiterSpec, present))
        if self._spec.check_delay < 0:
            log.warning("check_delay %g is taken, and has no effect", self._spec.check_delay)
        self._sockets = tuple(sockets)
        self._zmq_context = context
        self._plugins = tuple(plugin_specs(plugins or ()))
        self._hooks = Hooks.installed()
        self._background = background
        self._prereload = prereload_fn
        self._run: Running | None = None

    @property
    def endpoints(self) -> tuple[str, str] | None:
        """The control and the event endpoint as they were bound, while it runs."""
        home = self._home
        return None if home is None else home.engine.endpoints

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        run = self._run
        return run is not None and run.is_ready and not run.is_over

    def start(self) -> Result:
        """Bind the endpoints, start every autostart watcher, and keep them running.

        Blocks until it is stopped, by `stop` in another thread, by ``quit`` on the control
        endpoint, or by SIGINT, SIGTERM or SIGQUIT. Raises `CannotBind` and whatever else keeps it
        from starting; a watcher that can not start does not.
        """
        self._run = Running(self._engine, self._settle, self.stop if self._has_own_stop else None)
        if running_loop() is not None:
            return self._run.run_here()
        return self._run.run_in_thread() if self._background else self._run.run(self._make_loop)

    def stop(self) -> Result:
        """Stop every process, and end; does nothing where nothing runs.

        Where a subclass overrides this, the first signal and ``quit`` call it.
        """
        run = self._run
        return nothing_to_do() if run is None or run.is_over else run.stop()

    def reload(self, graceful: bool = True, sequential: bool = False) -> Result:
        """Reload every active watcher; ``prereload_fn`` is called with the arbiter first."""
        if self._prereload is not None:
            self._prereload(self)
        return self._wish(
            lambda supervisor: supervisor.reload_all(graceful=graceful, sequential=sequential)
        )

    def start_watchers(self) -> Result:
        """Start every autostart watcher, highest priority first."""
        return self._wish(lambda supervisor: supervisor.start_all())

    def stop_watchers(self) -> Result:
        """Stop every watcher, lowest priority first; the arbiter stays."""
        return self._wish(lambda supervisor: supervisor.stop_all())

    def restart(self) -> Result:
        """Stop every watcher, then start those that start by themselves."""
        return self._wish(lambda supervisor: supervisor.restart_all())

    def numprocesses(self) -> int:
        """Return the number of processes that are there, of all watchers."""
        return sum(len(watcher) for watcher in self.watchers)

    def numwatchers(self) -> int:
        """Return the number of watchers."""
        return len(self.watchers)

    @property
    def watchers(self) -> list[Watcher]:
        """All watchers."""
        home = self._home
        if home is None:
            return list(self._watchers)
        actors = home.ask(home.engine.supervisor.actors)
        return [Watcher.of(actor.spec, home) for actor in actors]

    def iter_watchers(self, reverse: bool = True) -> list[Watcher]:
        """Return all watchers by priority: highest first, or lowest first without ``reverse``."""
        ordered = start_order(self.watchers)
        return ordered if reverse else ordered[::-1]

    def get_watcher(self, name: str) -> Watcher:
        """Return the watcher of a name, compared without case. Raises KeyError."""
        for watcher in self.watchers:
            if name_key(watcher.name) == name_key(name):
                return watcher
        raise KeyError(name)

    def statuses(self) -> dict[str, str]:
        """Return the state word of every watcher, by name."""
        return {watcher.name: watcher.status() for watcher in self.watchers}

    def add_watcher(self, name: str, cmd: str, **options: Any) -> Watcher:
        """Add a watcher, stopped. Raises `AlreadyExists`, `BadMessage`."""
        watcher = Watcher(name, cmd, **options)
        home = self._home
        if home is not None:
            home.ask(lambda: watcher.attach(home, self._spec.umask))
        else:
            refuse_twins(each.name for each in (*self._watchers, watcher))
            self._watchers.append(watcher)
        return watcher

    def rm_watcher(self, name: str, nostop: bool = False) -> Result:
        """Stop a watcher, unless ``nostop``, and forget it. Raises KeyError."""
        watcher = self.get_watcher(name)
        if self._home is None:
            self._watchers.remove(watcher)
            return nothing_to_do()
        return self._wish(lambda supervisor: supervisor.remove(name, nostop=nostop))

    @property
    def _home(self) -> Home | None:
        run = self._run
        return None if run is None or run.is_over else run.home

    @property
    def _has_own_stop(self) -> bool:
        return type(self).stop is not Arbiter.stop

    def _commands(self) -> Mapping[str, Command]:
        commands = load_commands()
        if not self._has_own_stop:
            return commands
        return {**commands, "quit": through(commands["quit"], self.stop)}

    def _engine(self) -> Engine:
        parts = Parts(
            commands=self._commands() if self._serves else {},
            hooks=self._hooks,
            context=self._zmq_context,
            serves=self._serves,
        )
        sockets = tuple(spec_of(socket.plan) for socket in self._sockets)
        return Engine(Configuration(self._spec, sockets=sockets), parts)

    async def _settle(self, home: Home) -> None:
        show_bound(self._sockets, home.engine.sockets.views())
        for watcher in self._watchers:
            watcher.attach(home, self._spec.umask)
        self._host(home.engine)
        try:
            await home.engine.supervisor.start_all()
        except CircusError:
            # That watcher says why in its status; the others run.
            pass

    def _host(self, engine: Engine) -> None:
        facts = engine.facts()
        if facts is None:
            return
        watchers = [watcher.name for watcher in engine.supervisor.actors()]
        hosts = place(self._plugins, self._hooks, self._spec, watchers, NO_DEFAULTS)
        for process in hosts.processes:
            engine.supervisor.add_spec(watcher_of(process, facts, self._spec))
        engine.host(hosts.threads)

    def _wish(self, make: Callable[[Supervisor], Ticket]) -> Result:
        home = self._home
        if home is None:
            return nothing_to_do()
        return home.wish(lambda: make(home.supervisor), _nothing)


def _nothing(done: Done) -> None:
    pass


def get_arbiter(
    watchers: str | Mapping[str, Any] | Iterable[Mapping[str, Any]],
    controller: str | int | None = None,
    pubsub_endpoint: str | None = None,
    stats_endpoint: str | None = None,
    env: Mapping[str, str] | None = None,
    name: str | None = None,
    context: zmq.Context[Any] | None = None,
    background: bool = False,
    stream_backend: str = "thread",
    plugins: Sequence[Mapping[str, Any]] | None = None,
    **options: Any,
) -> Arbiter:
    """Make an arbiter: for a command, or for a list of mappings with ``cmd`` and other options.

        get_arbiter("myprogram", 4)
        get_arbiter("myprogram", numprocesses=3)
        get_arbiter([{"cmd": "myprogram", "numprocesses": 4}, {"cmd": "other"}])

    With a command, the options of a watcher are keywords and a number in second place is
    ``numprocesses``; ``endpoint`` is another name of ``controller``. Raises `BadMessage`,
    `AlreadyExists`.
    """
    if isinstance(watchers, str):
        watcher_options, options = split_options(options)
        given = {"cmd": watchers, "env": env, "name": name}
        watcher_options |= {key: value for key, value in given.items() if value is not None}
        if isinstance(controller, int):
            watcher_options["numprocesses"], controller = controller, None
        watchers = [watcher_options]
    if isinstance(controller, int):
        raise BadMessage("a number of processes goes with a command, not with a list of watchers")
    described = [watchers] if isinstance(watchers, Mapping) else watchers
    return Arbiter(
        [Watcher.load_from_config(watcher_options) for watcher_options in described],
        controller or options.pop("endpoint", None) or ENDPOINT,
        pubsub_endpoint or PUBSUB_ENDPOINT,
        context=context,
        stats_endpoint=stats_endpoint,
        plugins=plugins,
        background=background,
        **options,
    )
