"""What a `Watcher` tells about itself: everything that only reads."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from cvec_circus_core.embed.home import Home
from cvec_circus_core.embed.process import CENSUS
from cvec_circus_core.model.errors import UnknownProcess
from cvec_circus_core.model.names import topic_name
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import Health, ProcessView, WatcherStatus, WatcherView


class WatcherQueries:
    """The reading half of `Watcher`: from its spec, or from the engine that it lives in."""

    _spec: WatcherSpec
    _home: Home | None

    @property
    def spec(self) -> WatcherSpec:
        """What is wanted at the moment."""
        home = self._home
        if home is None or not home.is_usable:
            return self._spec
        return home.ask(lambda: home.watcher(self._spec.name).spec)

    @property
    def name(self) -> str:
        """The name as it was given."""
        return self._spec.name

    @property
    def res_name(self) -> str:
        """The name as it stands in event topics."""
        return topic_name(self._spec.name)

    @property
    def cmd(self) -> str:
        """The command line."""
        return self.spec.cmd

    @property
    def args(self) -> str:
        """The further arguments, as one text."""
        return shlex.join(self.spec.args)

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables that were given."""
        return self.spec.env

    @property
    def numprocesses(self) -> int:
        """How many processes are wanted."""
        return self.spec.numprocesses

    def view(self) -> WatcherView:
        """Return a picture of what is so."""
        home = self._home
        if home is None or not home.is_usable:
            return WatcherView(self.name, WatcherStatus.STOPPED, _AT_REST, ())
        return home.ask(lambda: home.watcher(self.name).view())

    @property
    def processes(self) -> dict[int, ProcessView]:
        """The processes that are there, by pid."""
        return {process.pid: process for process in self.view().processes}

    def get_active_pids(self) -> list[int]:
        """Return the pids of the processes that are there."""
        return [process.pid for process in self.view().processes]

    def status(self) -> str:
        """Return the state word: stopped, starting, active or stopping."""
        return self.view().status.value

    def is_active(self) -> bool:
        """Tell whether it has all its processes."""
        return self.view().status is WatcherStatus.ACTIVE

    def is_stopped(self) -> bool:
        """Tell whether it has no process and wants none."""
        return self.view().status is WatcherStatus.STOPPED

    def is_stopping(self) -> bool:
        """Tell whether it is on its way down."""
        return self.view().status is WatcherStatus.STOPPING

    def info(self) -> Mapping[int, Any]:
        """Return the info object (spec: protocol, 5.3) of every process, by pid."""
        return CENSUS.take(self.get_active_pids())

    def process_info(self, pid: int) -> object:
        """Return the info object of one process. Raises `UnknownProcess`."""
        if pid not in self.processes:
            raise UnknownProcess(pid, self.name)
        return CENSUS.take([pid])[pid]

    def notify_event(self, topic: str, msg: Mapping[str, Any]) -> None:
        """Publish an event of one's own, ``watcher.NAME.topic``, while there is an engine."""
        home = self._home
        if home is not None and home.is_usable:
            home.ask(lambda: home.watcher(self.name).announce(topic, dict(msg)))

    send_msg = notify_event

    def __len__(self) -> int:
        return len(self.view().processes)


_AT_REST = Health(running=0, wanted=0, restarts=0, last_exit=None, reason=None, retry_in=None)
