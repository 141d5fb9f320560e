"""What happened: one frozen type per event of spec: protocol, events.

An event holds facts only. Anyone who publishes it adds the time and the sequence number (`Told`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.names import topic_name
from cvec_circus_core.model.values import Struct


class Event(Struct, frozen=True):
    """Something that happened to a watcher."""

    topic: ClassVar[str] = ""
    family: ClassVar[str] = "watcher"
    """The first part of the full topic; each family is numbered by itself."""
    watcher: str

    @property
    def name(self) -> str:
        """The last part of the full topic."""
        return self.topic

    @property
    def subject(self) -> str:
        """What stands between family and name in the full topic."""
        return f"{topic_name(self.watcher)}."

    def facts(self) -> Mapping[str, Any]:
        """Return what the body says beside time, watcher and sequence number."""
        return {}


class _ProcessEvent(Event, frozen=True):
    wid: int
    pid: int

    def facts(self) -> Mapping[str, Any]:
        return {"process_pid": self.pid, "process_id": self.wid}


class ProcessSpawned(_ProcessEvent, frozen=True):
    """A process was started."""

    topic = "spawn"


class ProcessReaped(_ProcessEvent, frozen=True):
    """A dead process was collected: exactly one for every `ProcessSpawned`."""

    topic = "reap"
    exit_code: int | None
    reason: ExitReason

    def facts(self) -> Mapping[str, Any]:
        return {
            "process_pid": self.pid,
            "process_id": self.wid,
            "exit_code": self.exit_code,
            "reason": self.reason.value,
        }


class ProcessSignalled(_ProcessEvent, frozen=True):
    """A process was sent the signal that asks it to stop, or SIGKILL."""

    topic = "kill"
    signum: int

    def facts(self) -> Mapping[str, Any]:
        return {"process_pid": self.pid, "process_id": self.wid, "signum": self.signum}


class OptionUpdated(Event, frozen=True):
    """An option was set at run time."""

    topic = "updated"
    option: str

    def facts(self) -> Mapping[str, Any]:
        return {"option": self.option}


class WatcherStarted(Event, frozen=True):
    """The watcher has all its processes."""

    topic = "start"


class WatcherStopped(Event, frozen=True):
    """The watcher has no process any more and wants none."""

    topic = "stop"
    reason: str | None = None
    gave_up: bool = False
    """Whether it could not do what was wanted."""
    fatal: bool = False
    """Whether the daemon ends because of it."""

    def facts(self) -> Mapping[str, Any]:
        return {} if self.reason is None else {"reason": self.reason}


class WatcherReloaded(Event, frozen=True):
    """A graceful reload is over."""

    topic = "reload"


class WatcherAdded(Event, frozen=True):
    """A watcher joined."""

    topic = "add"


class WatcherRemoved(Event, frozen=True):
    """A watcher left."""

    topic = "remove"


class ProcessSpawnFailed(Event, frozen=True):
    """A process could not be started."""

    topic = "spawn_failed"
    wid: int
    reason: str
    retry_in: float | None

    def facts(self) -> Mapping[str, Any]:
        return {"process_id": self.wid, "reason": self.reason, "retry_in": self.retry_in}


class Announced(Event, frozen=True):
    """What a library user or a hook had to say about a watcher, under a name of its own."""

    said: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The last part of the full topic."""
        return self.said

    def facts(self) -> Mapping[str, Any]:
        return self.body


class HookSucceeded(Event, frozen=True):
    """A hook of the operator has returned, whatever it returned."""

    topic = "hook_success"
    hook: str

    def facts(self) -> Mapping[str, Any]:
        return {"name": self.hook}


class HookFailed(Event, frozen=True):
    """A hook of the operator could not be called, raised, or did not answer in time."""

    topic = "hook_failure"
    hook: str
    error: str

    def facts(self) -> Mapping[str, Any]:
        return {"name": self.hook, "error": self.error}


class WatcherRolloutFailed(Event, frozen=True):
    """New processes were not ready; those that are needed of the old ones stay."""

    topic = "rollout_failed"
    reason: str

    def facts(self) -> Mapping[str, Any]:
        return {"reason": self.reason}


class NotReady(_ProcessEvent, frozen=True):
    """A process did not say in time that it is ready, and is taken as it is."""

    topic = "not_ready"


class CommandAudited(Event, frozen=True):
    """Somebody has commanded the daemon, or was refused."""

    family = "audit"
    command: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The last part of the full topic."""
        return self.command

    @property
    def subject(self) -> str:
        """What stands between family and name: the watcher, or ``circus`` where none is named."""
        return f"{topic_name(self.watcher) or 'circus'}."

    def facts(self) -> Mapping[str, Any]:
        return self.body


def own_events(kind: type[Event] = Event) -> frozenset[str]:
    """Return the names of the daemon's own events."""
    below = (own_events(subclass) for subclass in kind.__subclasses__())
    return frozenset({kind.topic} - {""}).union(*below)


class Told(Struct, frozen=True):
    """An event as it was published: numbered from 1 within its family, and timed.

    ``time`` is Unix time in seconds. The body is made once, however many listen.
    """

    event: Event
    number: int
    time: float

    @property
    def topic(self) -> str:
        """The full topic, ``watcher.NAME.EVENT`` or ``audit.NAME.COMMAND``."""
        return f"{self.event.family}.{self.event.subject}{self.event.name}"

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the second frame."""
        return {
            **self.event.facts(),
            "time": self.time,
            "watcher": self.event.watcher,
            "seq": self.number,
        }
