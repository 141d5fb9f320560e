"""When a new process counts as ready, so that an old one may go.

    auto            when it waits on its managed sockets; without such, when it says READY=1 or has
                    lived for a second
    spawned         as soon as it is there
    alive:SECONDS   when it has lived that long
    notify          when it says READY=1 on its notify socket, as services of systemd do
    log:REGEX       when a line of its output matches

``spawned`` and ``alive`` come true by themselves while the process lives; the others have to be
told, or seen.
"""

from __future__ import annotations

from enum import Enum

from cvec_circus_core.model.kinds import Kind
from cvec_circus_core.model.quantities import DURATION
from cvec_circus_core.model.regex import Regex
from cvec_circus_core.model.values import Struct

_FORM = "a way to be ready"
_ALLOWED = "auto, spawned, alive:SECONDS, notify or log:REGEX"


class Sign(Enum):
    """What tells that a process is ready."""

    AUTO = "auto"
    SPAWNED = "spawned"
    ALIVE = "alive"
    NOTIFY = "notify"
    LOG = "log"


class Readiness(Struct, frozen=True):
    """One way to be ready."""

    sign: Sign = Sign.SPAWNED
    seconds: float = 0.0
    """For ALIVE, and for AUTO where nothing else can be seen."""
    pattern: str = ""
    """For LOG."""

    @property
    def is_told(self) -> bool:
        """Whether somebody has to say it; else it only takes time."""
        return self.sign in (Sign.NOTIFY, Sign.LOG)

    def is_met_by(self, line: str) -> bool:
        """Tell whether a line of output is the one that was waited for."""
        return self.sign is Sign.LOG and Regex(self.pattern).search(line) is not None


SPAWNED = Readiness()
AUTO = Readiness(Sign.AUTO, seconds=1.0)
NOTIFY = Readiness(Sign.NOTIFY)


def alive(seconds: float) -> Readiness:
    """Be ready after so many seconds of life."""
    return Readiness(Sign.ALIVE, seconds=seconds)


def logged(pattern: str) -> Readiness:
    """Be ready once a line of output matches. Raises ValueError for what is no pattern."""
    try:
        Regex(pattern).checked()
    except ValueError:
        raise ValueError(_FORM) from None
    return Readiness(Sign.LOG, pattern=pattern)


def _parse(text: str) -> Readiness:
    if "\0" in text:
        raise ValueError(_FORM)
    word, colon, rest = text.strip().partition(":")
    match word.strip().lower(), bool(colon):
        case "auto", False:
            return AUTO
        case "spawned", False:
            return SPAWNED
        case "notify", False:
            return NOTIFY
        case "alive", True:
            return alive(_seconds(rest))
        case "log", True if rest:
            return logged(rest)
        case _:
            raise ValueError(_FORM)


def _seconds(text: str) -> float:
    try:
        seconds: float = DURATION.parse(text)
    except ValueError:
        raise ValueError(_FORM) from None
    if not 0 <= seconds < float("inf"):
        raise ValueError(_FORM)
    return seconds


def _check(value: object) -> Readiness:
    match value:
        case Readiness():
            return value
        case str():
            return _parse(value)
        case _:
            raise ValueError(_FORM)


def _show(ready: Readiness) -> str:
    match ready.sign:
        case Sign.ALIVE:
            return f"alive:{ready.seconds:g}"
        case Sign.LOG:
            return f"log:{ready.pattern}"
        case sign:
            return str(sign.value)


READINESS = Kind("readiness", _ALLOWED, _parse, _check, _show)
