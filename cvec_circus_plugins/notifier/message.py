"""A message: what has happened, in the words of a template.

Names in templates: ``$watcher``, ``$event``, ``$time``, ``$host``, ``$summary`` (one line),
``$details`` (a line per fact), ``$left_out`` (how many events were not told, by the limit), and
every key of the event's body, such as ``$process_pid``, ``$exit_code`` and ``$reason``. A name that
the event does not have is empty.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template
from typing import Any

LEFT_OUT = "left_out"
"""Name of the message that only says that there was more."""

_COMMON = frozenset({"watcher", "time", "seq"})


@dataclass(frozen=True, slots=True)
class Message:
    """One event to be told."""

    watcher: str
    event: str
    body: Mapping[str, Any]
    host: str
    left_out: int = 0

    @property
    def topic(self) -> str:
        """What the log calls it."""
        return f"{self.event} of {self.watcher}" if self.watcher else self.event

    @property
    def summary(self) -> str:
        """One line."""
        more = f" ({_more(self.left_out)})" if self.left_out else ""
        if self.event == LEFT_OUT:
            return f"{_more(self.left_out)} on {self.host}"
        facts = ", ".join(f"{key} {_text(value)}" for key, value in self._facts())
        details = f" ({facts})" if facts else ""
        return f"{self.watcher} on {self.host}: {self.event}{details}{more}"

    def filled(self, template: str, *, as_json: bool = False) -> str:
        """Return a template with everything in its place; ``as_json`` inside texts of JSON."""
        placeholders = self._placeholders()
        if as_json:
            placeholders = {key: json.dumps(value)[1:-1] for key, value in placeholders.items()}
        return Template(template).substitute(defaultdict(str, placeholders))

    def as_json(self) -> str:
        """Return everything as a JSON object."""
        fields = {
            "watcher": self.watcher,
            "event": self.event,
            "time": self.body.get("time"),
            "host": self.host,
            "summary": self.summary,
            "left_out": self.left_out,
            "body": dict(self.body),
        }
        return json.dumps(fields)

    def _facts(self) -> list[tuple[str, Any]]:
        return [
            (key, value)
            for key, value in self.body.items()
            if key not in _COMMON and value is not None
        ]

    def _placeholders(self) -> dict[str, str]:
        placeholders = {key: _text(value) for key, value in self.body.items() if value is not None}
        lines = [f"watcher: {self.watcher}", f"event: {self.event}", f"host: {self.host}"]
        lines += [f"time: {_moment(self.body.get('time'))}"]
        lines += [f"{key}: {_text(value)}" for key, value in self._facts()]
        if self.left_out:
            lines.append(_more(self.left_out))
        return {
            **placeholders,
            "watcher": self.watcher,
            "event": self.event,
            "host": self.host,
            "time": _moment(self.body.get("time")),
            "summary": self.summary,
            "details": "\n".join(lines),
            "left_out": str(self.left_out),
        }


def _more(count: int) -> str:
    return "1 more event was not told" if count == 1 else f"{count} more events were not told"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _moment(time: object) -> str:
    if not isinstance(time, int | float):
        return ""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
