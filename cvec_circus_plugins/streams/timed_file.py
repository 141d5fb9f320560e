"""TimedRotatingFileStream: a file per hour, day or week."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvec_circus_core import api
from cvec_circus_core.api import Fault, option
from cvec_circus_plugins.streams._backups import pack
from cvec_circus_plugins.streams._calendar import WHENS, Calendar
from cvec_circus_plugins.streams._file_writer import COUNT
from cvec_circus_plugins.streams._rotation import RotatingFileWriter

if TYPE_CHECKING:
    from cvec_circus_core.api import Spot


def _read_when(text: object) -> str:
    word = str(text).strip().upper()
    if word not in WHENS:
        raise ValueError("a period")
    return word


WHEN = api.Kind("period", ", ".join(WHENS), _read_when, _read_when)


@dataclass(kw_only=True, eq=False)
class TimedRotatingFileStream(RotatingFileWriter):
    """Append output to a file, and begin a new one with every period of time.

    The file is always ``filename``; older ones end with the date, and the time where that matters,
    at which their period began. A file is rotated when the first output of the next period comes.
    The first period is counted from the last change of the file that is there. A symbolic link is
    followed: its target is rotated. What is no plain file, such as /dev/stdout, never is.
    """

    rotation_option = "rotate_when"

    rotate_when: str = option(
        "", WHEN, "S, M, H, D, midnight, or W0 (Monday) to W6; must be given, in any case"
    )
    rotate_interval: int = option(1, api.at_least(api.INTEGER, 1), "how many of these")
    backup_count: int = option(0, COUNT, "how many older files are kept; 0 for all")
    utc: bool = option(False, api.BOOLEAN, "go by UTC, not by local time")
    gzip: bool = option(False, api.BOOLEAN, "compress older files")
    _calendar: Calendar = field(init=False, repr=False)
    _rotation: float | None = field(init=False, repr=False, default=None)
    _written_at: float = field(init=False, repr=False, default=0.0)
    """The time of day of the last output."""
    _clock: api.SystemClock = field(init=False, repr=False, default_factory=api.SystemClock)
    _due_at: float = field(init=False, repr=False, default=float("inf"))
    """When a period of so many seconds is over, whatever becomes of the time of day (monotonic)."""

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        if not self.rotate_when:
            raise Fault("rotate_when", "is missing", ", ".join(WHENS))
        self._calendar = Calendar(self.rotate_when, self.rotate_interval, self.utc)
        self.in_loop = self.in_loop and not self.gzip

    def prepare(self, at: float) -> None:
        """Begin a new file where a period is over."""
        if not self._file.is_plain:
            return
        if self._rotation is None:
            changed_at = self._file.changed_at()
            # What was changed in the future was changed by another clock.
            self._rotation = self._await(at if changed_at is None else min(changed_at, at), at)
        elif at < self._written_at and self._calendar.length is None:
            # The clock was set back: no day is to last until it is there again.
            self._rotation = min(self._rotation, self._calendar.next(at))
        self._written_at = at
        if at < self._rotation and self._clock.now() < self._due_at:
            return
        if not self._file.check_path():
            self.reopen()
        if self._file.size:
            self._rotate(self._rotation)
        self._rotation = self._await(at, at)

    def _await(self, begin: float, at: float) -> float:
        """Return when the period ends that has begun at some time of day; it is ``at`` now."""
        rotation = self._calendar.next(begin)
        length = self._calendar.length
        if length is not None:
            # What has begun in the future was begun by another clock.
            self._due_at = self._clock.now() + min(length, rotation - at)
        return rotation

    def _rotate(self, rotation: float) -> None:
        path = self._file.path
        dated = suffix = f".{self._calendar.label(rotation)}"
        with api.hold(path) as spot:
            names = set(spot.names())
            number = 0
            # A clock that was set back, or another process: what is there already stays.
            while not names.isdisjoint({spot.name + suffix, f"{spot.name}{suffix}.gz"}):
                number += 1
                suffix = f"{dated}.{number}"
        self.rename(suffix)
        if self.gzip:
            pack(path, suffix)
        if self.backup_count:
            with api.hold(path) as spot:
                for old in self._backups(spot)[: -self.backup_count]:
                    spot.named(old).remove()

    def _backups(self, spot: Spot) -> list[str]:
        """Return the names of older files, the oldest first."""
        name = spot.name
        digits = len(self._calendar.label(0))
        pattern = re.compile(re.escape(name) + rf"\.(\d{{{digits}}})(?:\.(\d+))?(\.gz)?")
        matches = [match for entry in spot.names() if (match := pattern.fullmatch(entry))]
        matches.sort(key=lambda match: (match[1], int(match[2] or 0)))
        return [match[0] for match in matches]
