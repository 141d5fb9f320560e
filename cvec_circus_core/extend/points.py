"""The entry points of everything that is installed, read once and not once per group.

`importlib.metadata` opens two files of every distribution each time it is asked, which is a
millisecond for each ten of them, and a start asks for five groups. A package comes or goes by a
folder of its own in a folder of the import path; so while none of those has changed, neither have
the entry points. `importlib.metadata` minds its listings of these folders in the same way.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoints, entry_points

_Moment = tuple[tuple[str, int], ...]


class _Reading:
    """What was installed at one moment."""

    def __init__(self, moment: _Moment) -> None:
        self.moment = moment
        self.all = entry_points()
        self.by_group: dict[str, EntryPoints] = {}


_last: _Reading | None = None


def points_of(group: str) -> EntryPoints:
    """Return the entry points of one group, as they are at this moment."""
    reading = _now()
    if group not in reading.by_group:
        reading.by_group[group] = reading.all.select(group=group)
    return reading.by_group[group]


def groups() -> set[str]:
    """Return the names of all groups that are there."""
    return set(_now().all.groups)


def _now() -> _Reading:
    global _last
    moment = tuple((folder, _changed_at(folder)) for folder in sys.path)
    reading = _last
    if reading is None or reading.moment != moment:
        reading = _last = _Reading(moment)
    return reading


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0
