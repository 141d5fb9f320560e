"""What commands and kernel plugins may ask of the daemon, as Protocols.

The runtime implements them; `testing.FakeSupervisor` does too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from cvec_circus_core.model.options import Option
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import (
    OutputLine,
    OutputQuery,
    OutputView,
    PluginView,
    RuntimeChange,
    SocketView,
    StatsSubject,
    WatcherView,
)


class Ticket(Awaitable[Done], Protocol):
    """A promise: awaiting it gives what was done, or raises a `CircusError`.

    Nobody has to await it; dropping a ticket cancels nothing.
    """


class WatcherPort(Protocol):
    """One watcher, as others may see and ask it. Wishes return at once with a ticket."""

    @property
    def name(self) -> str:
        """The name as it was written."""

    @property
    def spec(self) -> WatcherSpec:
        """What is wanted at the moment; a wish shows here as soon as its method has returned."""

    def view(self) -> WatcherView:
        """Return a picture of what is so."""

    def start(self) -> Ticket:
        """Bring it up; settled when it is active."""

    def stop(self, reason: str | None = None, *, for_good: bool = False) -> Ticket:
        """Bring it down; settled when the last process is gone.

        With a ``reason`` the watcher gives up, and its view tells why. Then the wish means nothing
        where an operator has stopped it meanwhile, or restarts it. ``for_good`` says that nobody
        will start it again, so that what on_failure says follows.
        """

    def announce(self, event: str, body: Mapping[str, Any]) -> None:
        """Publish an event ``watcher.NAME.EVENT`` that is none of the daemon's own."""

    def restart(self) -> Ticket:
        """Bring it down and, once all is gone, up again."""

    def reload(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Replace all processes, new before old; or by SIGHUP where send_hup says so."""

    def resize(self, count: int) -> Ticket:
        """Keep this many processes. A singleton stays as it is."""

    def change(self, options: Mapping[str, Any], *, renew: bool = True) -> Ticket:
        """Set options, given as JSON values, after checking all of them.

        Without ``renew``, processes stay that are not as the options say now: later ones will be.
        Raises `UnknownOption` and `BadMessage`, in which case nothing was changed.
        """

    def kill(self, pid: int | None, signum: int | None, grace: float | None) -> Ticket:
        """Stop one process or all of them; they are replaced. Raises `UnknownProcess`."""

    def signal(self, signum: int, selection: SignalSelection) -> Ticket:
        """Send a signal; settled when it was sent. Raises `UnknownProcess`.

        A refusal is raised where it is known at once, else it is the ticket's failure.
        """

    def options(self, *, as_set: bool = False) -> Mapping[str, Any]:
        """Return all options as JSON values, free-form ones included.

        ``env`` and ``working_dir`` are what a process gets, or, ``as_set``, what was set.
        """

    def reopen(self) -> None:
        """Open the files of its streams anew, as after a move by logrotate."""

    def recent_lines(self, query: OutputQuery) -> Sequence[OutputLine]:
        """Return the last lines of all processes, in the order in which they came.

        Raises `BadMessage` where the output does not pass the daemon.
        """

    def recent(self, channel: str, lines: int, wid: int | None = None) -> Sequence[OutputView]:
        """Return the last lines of each process on ``stdout`` or ``stderr``, by slot.

        Raises `BadMessage` where the watcher has no stream there.
        """

    def environment(self, wid: int) -> Mapping[str, str]:
        """Return the environment that a new process in this slot would get."""

    async def extended_stats(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a process's info object with what the extended_stats hook made of it.

        Without such a hook, or where it fails, it is returned as it was.
        """


class SignalSelection(Struct, frozen=True):
    """Which processes a signal goes to (spec: protocol, signal): all of a watcher, or these."""

    pid: int | None = None
    """One process of the watcher, by pid."""
    wid: int | None = None
    """One process of the watcher, by slot."""
    childpid: int | None = None
    """One direct child of that process."""
    children: bool = False
    """The direct children instead of the process."""
    recursive: bool = False
    """The process and all its descendants."""


class SocketsPort(Protocol):
    """The managed sockets, as commands may see and change them."""

    def views(self) -> Sequence[SocketView]:
        """Return a picture of each, in the order of their descriptors."""

    def add(self, name: str, options: Mapping[str, Any]) -> SocketView:
        """Open one more. Raises `BadMessage`, `Conflict`, `CannotBind`."""

    def remove(self, name: str) -> None:
        """Close one that no watcher uses. Raises `BadMessage`, `Conflict`."""


class ConfigPreview(Protocol):
    """What a configuration that was read again means, beside what is in force."""

    def as_json(self) -> Mapping[str, object]:
        """Return it for a reply."""


class ConfigReading(Protocol):
    """A configuration that was read again: what `Supervisor.read_config` gives."""


class Supervisor(Protocol):
    """The daemon, as a command sees it."""

    @property
    def spec(self) -> ArbiterSpec:
        """The daemon's own options."""

    @property
    def pid(self) -> int:
        """The pid of the daemon."""

    @property
    def changes(self) -> int:
        """A number that grows whenever something has happened: the number of the last event."""

    @property
    def sockets(self) -> SocketsPort:
        """The managed sockets."""

    def watcher(self, name: str) -> WatcherPort:
        """Return the watcher of this name. Raises `UnknownWatcher`."""

    def watchers(self) -> Sequence[WatcherPort]:
        """Return all watchers, sorted by name."""

    def matching(self, pattern: str, match: str) -> Sequence[WatcherPort]:
        """Return watchers by ``simple``, ``glob`` or ``regex``, highest priority first.

        Raises `UnknownWatcher` where none matches, `BadMessage` for a bad pattern.
        """

    def add(self, name: str, cmd: str, options: Mapping[str, Any]) -> WatcherPort:
        """Add a watcher, stopped. Raises `AlreadyExists`, `BadMessage`."""

    def remove(self, name: str, *, nostop: bool = False) -> Ticket:
        """Stop a watcher, unless ``nostop``, and forget it."""

    def start_all(self) -> Ticket:
        """Start every autostart watcher, highest priority first."""

    def stop_all(self) -> Ticket:
        """Stop every watcher, lowest priority first."""

    def restart_all(self, reading: ConfigReading | None = None) -> Ticket:
        """Stop everything, read the configuration again unless it was read, and start it."""

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Reload every active watcher, highest priority first."""

    def reopen_all(self) -> None:
        """Open the files of all streams anew."""

    async def read_config(self) -> ConfigReading:
        """Read the configuration again; nothing waits for it but the caller.

        Raises `ConfigError` with every mistake, and where its files do not answer.
        """

    def plan_config(
        self, reading: ConfigReading | None = None, *, allow_empty: bool = False
    ) -> ConfigPreview:
        """Tell what the configuration means that was read, or is read now; nothing is changed.

        Raises `ConfigError` with every mistake, and where no watcher would be left, unless
        ``allow_empty``.
        """

    def reload_config(
        self, reading: ConfigReading | None = None, *, allow_empty: bool = False
    ) -> tuple[ConfigPreview, Ticket]:
        """Apply what differs in the configuration that was read, or is read now; tell what it is.

        Raises `ConfigError` as `plan_config` does, in which case nothing was changed.
        """

    def runtime_changes(self) -> Sequence[RuntimeChange]:
        """Return how watchers differ from the configuration, by what was done at run time."""

    async def save_config(self, sections: Mapping[str, Mapping[str, str]]) -> str:
        """Write sections into the file beside the configuration file; return its path.

        Raises `ConfigError` where they do not say what is in force.
        """

    def quit(self) -> Ticket:
        """Stop everything and end; settled when all processes are gone."""

    def plugins(self) -> Sequence[PluginView]:
        """Return the plugins that run in threads of the daemon."""

    def option_of_watchers(self) -> Mapping[str, Option]:
        """Return the declared options of watchers by name."""

    async def process_info(self, pids: Sequence[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return the info object of spec: protocol 5.3 for each pid, in one scan off the loop.

        With ``pss`` the memory that is shared is counted in parts, which takes long.
        """

    async def extra_stats(
        self, subjects: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Return what other packages know of some processes, by pid and name of the number."""

    def daemon_facts(self) -> Mapping[str, object]:
        """Return the pids, versions and starts of the daemon; nothing within another program."""

    async def upgrade(self, venv: str | None, watch: float, limit: float) -> Mapping[str, object]:
        """Have another daemon take our place, from the code of a virtual environment or our own.

        It has to serve within ``limit`` seconds, and is watched for some more.
        Raises `BadMessage` where that is not possible.
        """

    async def own_info(self) -> Mapping[str, Any]:
        """Return the info object of the daemon itself."""
