"""`Watcher`: some processes of one command, alone or as part of an `Arbiter` (spec: library, §3).

Alone, it gets an engine of its own at its first start. Inside a running event loop `start`, `stop`
and their like give something to await; elsewhere they block.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from cvec_circus_core.config.mappings import (
    changed_spec,
    spec_as_json,
    texts_read,
    watcher_from_mapping,
)
from cvec_circus_core.embed.home import Home
from cvec_circus_core.embed.portal import Result, nothing_to_do
from cvec_circus_core.embed.watcher_queries import WatcherQueries
from cvec_circus_core.extend.ports import SignalSelection, Ticket, WatcherPort
from cvec_circus_core.extend.process_verbs import ProcessVerbs
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.launch import SpawnEnvironment, prepare

T = TypeVar("T")


def name_from(cmd: str) -> str:
    """Return the name that a watcher without one gets: the program of its command."""
    words = cmd.split()
    return os.path.basename(words[0]) if words else ""


class Watcher(WatcherQueries, ProcessVerbs[Result]):
    """Keeps a number of processes of one command running.

    Every watcher option is a keyword (see the reference of options); what is not known is kept for
    plugins. ``prereload_fn`` is called with the watcher before each reload. Raises `BadMessage` for
    a value that can not be used.
    """

    def __init__(
        self,
        name: str,
        cmd: str,
        args: Sequence[str] | str | None = None,
        numprocesses: int = 1,
        warmup_delay: float = 0.0,
        working_dir: str | None = None,
        shell: bool = False,
        uid: int | str | None = None,
        max_retry: int = -1,
        gid: int | str | None = None,
        send_hup: bool = False,
        env: Mapping[str, str] | None = None,
        stopped: bool = True,
        graceful_timeout: float = 30.0,
        prereload_fn: Callable[[Watcher], object] | None = None,
        rlimits: Mapping[str, int | None] | None = None,
        executable: str | None = None,
        stdout_stream: Mapping[str, Any] | None = None,
        stderr_stream: Mapping[str, Any] | None = None,
        stream_backend: str = "thread",
        priority: int = 0,
        singleton: bool = False,
        **options: object,
    ) -> None:
        values = {
            "cmd": cmd,
            "args": args,
            "numprocesses": numprocesses,
            "warmup_delay": warmup_delay,
            "working_dir": working_dir,
            "shell": shell,
            "uid": uid,
            "max_retry": max_retry,
            "gid": gid,
            "send_hup": send_hup,
            "env": env,
            "graceful_timeout": graceful_timeout,
            "executable": executable,
            "stdout_stream": stdout_stream,
            "stderr_stream": stderr_stream,
            "priority": priority,
            "singleton": singleton,
            **{f"rlimit_{limit}": value for limit, value in (rlimits or {}).items()},
            **options,
        }
        self._spec = watcher_from_mapping(name, texts_read(WatcherSpec, values))
        self._home: Home | None = None
        self._is_alone = True
        self._prereload = prereload_fn

    @classmethod
    def load_from_config(cls, config: Mapping[str, Any]) -> Watcher:
        """Make one from a mapping; ``name`` defaults to the first word of ``cmd``."""
        rest = dict(config)
        name = rest.pop("name", None) or name_from(str(rest.get("cmd", "")))
        return cls(name, rest.pop("cmd", ""), **rest)

    @classmethod
    def of(cls, spec: WatcherSpec, home: Home) -> Watcher:
        """Make the face of a watcher that is there already."""
        watcher = cls.__new__(cls)
        watcher._spec, watcher._home = spec, home
        watcher._is_alone, watcher._prereload = False, None
        return watcher

    def attach(self, home: Home, umask: int | None = None) -> None:
        """Become part of an arbiter; only to be called in its loop. Raises `AlreadyExists`.

        ``umask`` is that of its processes, unless its options say another.
        """
        if umask is not None and self._spec.umask is None:
            self._spec = replace(self._spec, umask=umask)
        home.engine.supervisor.add_spec(self._spec)
        self._home, self._is_alone = home, False

    def start(self) -> Result:
        """Start it: what is missing is spawned. Gives the pids started and kept."""
        return self._wish(lambda watcher: watcher.start(), _done)

    def stop(self) -> Result:
        """Stop it: every process is asked to go, and killed when its grace is over."""
        if self._home is None:
            return nothing_to_do()
        return self._home.do(self._stop)

    def restart(self) -> Result:
        """Stop it and, when all is gone, start it."""
        return self._wish(lambda watcher: watcher.restart(), _done)

    def reload(self, graceful: bool = True, sequential: bool = False) -> Result:
        """Replace every process, new before old; not ``graceful`` is a restart."""
        if not graceful:
            return self.restart()
        if self._prereload is not None:
            self._prereload(self)
        return self._wish(lambda watcher: watcher.reload(sequential=sequential), _done)

    def incr(self, nb: int = 1) -> Result:
        """Keep so many more processes; gives the number."""
        return self.set_numprocesses(self.numprocesses + nb)

    def decr(self, nb: int = 1) -> Result:
        """Keep so many fewer processes; gives the number."""
        return self.set_numprocesses(max(0, self.numprocesses - nb))

    def set_numprocesses(self, np: int) -> Result:
        """Keep this many processes; gives the number."""
        if self._home is None:
            return self.set_opts({"numprocesses": np})
        return self._wish(lambda watcher: watcher.resize(np), self._count)

    def set_opt(self, key: str, val: object) -> Result:
        """Set one option. Raises `BadMessage` and changes nothing where it can not be used."""
        return self.set_opts({key: val})

    def set_opts(self, options: Mapping[str, Any]) -> Result:
        """Set some options, all or none; gives the number of processes wanted."""
        options = texts_read(WatcherSpec, options)
        if self._home is None:
            self._spec = changed_spec(self._spec, options)
            return nothing_to_do(self._spec.numprocesses)
        return self._wish(lambda watcher: watcher.change(options), self._count)

    def set_quietly(self, options: Mapping[str, Any]) -> None:
        """Set some options for processes that are started later; those that run stay.

        Raises `BadMessage`, and changes nothing then.
        """
        home, options = self._home, texts_read(WatcherSpec, options)
        if home is None or not home.is_usable:
            self._spec = changed_spec(self._spec, options, strict=False)
        else:
            home.ask(lambda: home.watcher(self.name).change(options, renew=False))

    def environment(self) -> Mapping[str, str]:
        """Return the environment that a new process would get."""
        home = self._home
        if home is not None and home.is_usable:
            return home.ask(lambda: home.watcher(self.name).environment(1))
        # Where it rests, no socket is there yet: those that it names are taken for granted.
        spec = self.spec
        names = socket_use(spec, ()).names
        around = SpawnEnvironment(environ=dict(os.environ), sockets=names)
        return dict(prepare(spec, around).for_slot(1).env)

    def spawn_processes(self) -> Result:
        """Spawn what is missing, which the watcher does by itself while it is up."""
        return self.start()

    def spawn_process(self) -> Result:
        """Keep one more process."""
        return self.incr()

    def manage_processes(self) -> Result:
        """Do nothing: deaths are answered when they happen, not when a caller looks."""
        return nothing_to_do()

    reap_processes = manage_processes
    reap_and_manage_processes = manage_processes

    def options(self) -> list[tuple[str, Any]]:
        """Return all options, sorted by name."""
        return sorted(spec_as_json(self.spec).items())

    def _signal(self, signum: int, selection: SignalSelection) -> Result:
        return self._wish(lambda watcher: watcher.signal(signum, selection), _nothing)

    def _settled_home(self) -> Home:
        if self._home is None or not self._home.is_usable:
            self._home = Home.alone()
            self._home.ask(partial(self._home.engine.supervisor.add_spec, self._spec))
        return self._home

    def _wish(self, make: Callable[[WatcherPort], Ticket], result: Callable[[Done], T]) -> Result:
        home = self._settled_home()
        return home.wish(lambda: make(home.watcher(self.name)), result)

    def _count(self, done: Done) -> int:
        return self.spec.numprocesses

    async def _stop(self) -> None:
        home = self._home
        if home is None:
            return
        await home.watcher(self.name).stop()
        if self._is_alone:
            self._spec, self._home = home.watcher(self.name).spec, None
            await home.close()

    def _kill(self, pid: int | None, signum: int | None, grace: float | None) -> Result:
        return self._wish(lambda watcher: watcher.kill(pid, signum, grace), _nothing)


def _done(done: Done) -> Done:
    return done


def _nothing(done: Done) -> None:
    pass
