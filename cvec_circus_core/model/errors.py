"""Errors, sorted by whose fault they are.

Callers' mistakes derive from `RequestError`, operators' from `ConfigError`, the machine's from
`SystemProblem`. Each carries the number that stands under ``errno`` in a reply, so that the front
door can answer without knowing the error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class Errno(IntEnum):
    """The numbers of the wire protocol (spec: protocol, reply)."""

    NOT_SPECIFIED = 0
    INVALID_JSON = 1
    UNKNOWN_COMMAND = 2
    MESSAGE_ERROR = 3
    OS_ERROR = 4
    COMMAND_ERROR = 5
    SERVER_ERROR = 6
    NOT_ALLOWED = 7


class CircusError(Exception):
    """Anything that this project raises on purpose."""

    errno: Errno = Errno.NOT_SPECIFIED

    @property
    def details(self) -> Mapping[str, Any]:
        """What a program may want to know besides, under keys of its own in the reply."""
        return {}

    @property
    def reason(self) -> str:
        """The sentence for people: lower case, no full stop."""
        return str(self)


class RequestError(CircusError):
    """The caller asked for something that can not be."""

    errno = Errno.MESSAGE_ERROR


class BadMessage(RequestError):
    """A request whose form or properties are wrong."""


class InvalidJson(RequestError):
    """A request that does not parse."""

    errno = Errno.INVALID_JSON

    def __init__(self) -> None:
        super().__init__("json invalid")


LONGEST_NAME = 100
"""Characters of a name that nobody knows that are quoted in an answer."""


class UnknownCommand(RequestError):
    """No installed command has this name."""

    errno = Errno.UNKNOWN_COMMAND

    def __init__(self, name: str) -> None:
        # Who sends half a megabyte as a name is not sent it back.
        shown_name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        super().__init__(f"unknown command: {shown_name!r}")
        self.name = name


class UnknownWatcher(RequestError):
    """No watcher has this name, or none matches this pattern."""

    def __init__(self, name: str) -> None:
        super().__init__(f"program {name} not found")
        self.name = name


class UnknownProcess(RequestError):
    """The watcher has no such process."""

    def __init__(self, process: int, watcher: str) -> None:
        super().__init__(f"process {process} not found in '{watcher}'")
        self.process = process
        self.watcher = watcher


class UnknownOption(RequestError):
    """The watcher or the daemon has no such option."""

    def __init__(self, key: str) -> None:
        super().__init__(f"'{key}' option not found")
        self.key = key


class AlreadyExists(RequestError):
    """A watcher of this name is there already (compared without case)."""

    errno = Errno.COMMAND_ERROR

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' already exist")
        self.name = name


class Conflict(CircusError):
    """A request that stands against another one, which wins."""

    errno = Errno.COMMAND_ERROR


class AnotherDaemon(Conflict):
    """A request of a helper that belongs to a daemon which was here before."""

    def __init__(self) -> None:
        super().__init__("this is another daemon than the one that the caller belongs to")

    @property
    def details(self) -> Mapping[str, Any]:
        """What tells the helper to end."""
        return {"another_daemon": True}


class Superseded(Conflict):
    """A newer wish for the same watcher took the place of this one."""

    def __init__(self, wish: str, by: str) -> None:
        super().__init__(f"the {wish} was superseded by a newer {by}")
        self.wish = wish
        self.by = by


class ShuttingDown(Conflict):
    """The daemon is going away and takes no more wishes."""

    def __init__(self) -> None:
        super().__init__("the daemon is quitting")


class WatcherFailed(CircusError):
    """A watcher does not have the processes that were wanted of it.

    ``pid`` is the process that failed, where there was one: its last output may say why.
    """

    errno = Errno.COMMAND_ERROR

    def __init__(self, why: str, watcher: str = "", pid: int | None = None) -> None:
        super().__init__(why)
        self.watcher = watcher
        self.pid = pid
        self.last_output: Sequence[Mapping[str, Any]] = ()

    @property
    def details(self) -> Mapping[str, Any]:
        """The last output of the process that failed."""
        return {"last_output": self.last_output} if self.last_output else {}


class GaveUp(WatcherFailed):
    """The watcher could not do what it promised; it has stopped, or tries again."""


class RolloutFailed(WatcherFailed):
    """New processes were not ready, so that the old ones go on."""


def among_several(failures: Sequence[CircusError]) -> CircusError:
    """Return the first failure, naming its watcher and the others that have failed."""
    first = failures[0]
    if not isinstance(first, WatcherFailed) or not first.watcher:
        return first
    later = [error.watcher for error in failures[1:] if isinstance(error, WatcherFailed)]
    names = ", ".join(dict.fromkeys(name for name in later if name not in ("", first.watcher)))
    also = f"; failed, too: {names}" if names else ""
    return type(first)(f"{first.watcher}: {first}{also}", first.watcher, first.pid)


class ConfigError(CircusError):
    """The operator wrote something that can not be used."""

    errno = Errno.COMMAND_ERROR


class SystemProblem(CircusError):
    """The machine said no."""

    errno = Errno.OS_ERROR


class CannotSpawn(SystemProblem):
    """A process could not be started."""

    def __init__(self, sentence: str, is_shortage: bool = False) -> None:
        super().__init__(sentence)
        self.is_shortage = is_shortage
        """Whether the machine is to blame: no memory, processes or descriptors left."""


class CannotBind(SystemProblem):
    """An endpoint or socket could not be bound."""


class CallError(CircusError):
    """A client got no answer, or could not send."""


class NothingListens(CallError):
    """A client could not reach anybody who speaks the protocol at its endpoint."""

    def __init__(self, endpoint: str, seconds: float) -> None:
        tried = f" (tried for {seconds:g} s)" if seconds else ""
        super().__init__(
            f"nothing listens at {endpoint}{tried}: "
            "is the daemon running, and is this its endpoint?"
        )
        self.endpoint = endpoint
        self.seconds = seconds


class NotLetIn(CallError):
    """The daemon at an endpoint and the client do not know each other by their keys."""


class NoAnswer(CallError):
    """Somebody listens at the endpoint, but the answer did not come in time."""

    def __init__(self, endpoint: str, seconds: float) -> None:
        super().__init__(
            f"no answer from {endpoint} in {seconds:g} s: "
            "the daemon may be busy, a longer timeout gives it the time"
        )
        self.endpoint = endpoint
