"""When files are rotated by time, and how the old ones are called.

Seconds, minutes and hours are counted from the start of the file. Days, midnights and weeks are
days of the calendar, so that the change to summer time does not move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SECONDS = {"S": 1, "M": 60, "H": 3600}
_LABELS = {"S": "%Y%m%d%H%M%S", "M": "%Y%m%d%H%M", "H": "%Y%m%d%H"}
_DAILY = "%Y%m%d"
WEEKDAYS = tuple(f"W{day}" for day in range(7))
WHENS = ("S", "M", "H", "D", "MIDNIGHT", *WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A period: ``when`` is one of `WHENS`, times ``interval``."""

    when: str
    interval: int
    utc: bool

    @property
    def label_format(self) -> str:
        """The strftime format of the end of an old file's name."""
        return _LABELS.get(self.when, _DAILY)

    @property
    def length(self) -> float | None:
        """The seconds of a period, where it is no matter of the calendar."""
        return _SECONDS[self.when] * self.interval if self.when in _SECONDS else None

    def next(self, after: float) -> float:
        """Return the Unix time of the first rotation after a moment at which a file was begun."""
        if self.length is not None:
            return after + self.length
        start = self._moment(after)
        if self.when == "D":
            return _timestamp(start + timedelta(days=self.interval))
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        days = self.interval
        if self.when in WEEKDAYS:
            # The day that is named is the last one of its file.
            days = (int(self.when[1]) - start.weekday()) % 7 + 1 + 7 * (self.interval - 1)
        return _timestamp(midnight + timedelta(days=days))

    def label(self, rotation: float) -> str:
        """Return how the file that ends with a rotation is called: by its period's beginning."""
        if self.length is not None:
            begin = self._moment(rotation - self.length)
        else:
            days = 7 * self.interval if self.when in WEEKDAYS else self.interval
            begin = self._moment(rotation) - timedelta(days=days)
        return begin.strftime(self.label_format)

    def _moment(self, at: float) -> datetime:
        # Local times stay naive: a day later is the same hour, however long the day was.
        return datetime.fromtimestamp(at, UTC) if self.utc else datetime.fromtimestamp(at)


def _timestamp(moment: datetime) -> float:
    return moment.timestamp()
