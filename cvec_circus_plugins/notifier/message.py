"""A message: what has happened, in the words of a template.

Names in templates: ``$watcher``, ``$event``, ``$time``, ``$host``, ``$summary`` (one line),
``$details`` (a line per fact), ``$left_out`` (how many events were not told, by the limit), and
every key of the event's body, such as ``$process_pid``, ``$exit_code`` and ``$reason``. A name that
the event does not have is empty.

An event may hold any text of those who may announce one. In mails and summaries each value is one
line of a bounded length, so that none looks like a line of ours; JSON has escapes of its own, and
values are only cut.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from string import Template
from typing import Any

from cvec_circus_core.api import escaped

LEFT_OUT = "left_out"
"""Name of the message that only says that there was more."""

LONGEST_NAME, LONGEST_VALUE, LONGEST_SUMMARY = 100, 1000, 500
"""Characters of names, of one value of an event, and of all of them in the summary."""
MOST_FACTS = 100
"""Values of an event that are listed."""

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
        event = escaped(self.event, LONGEST_NAME)
        return f"{event} of {escaped(self.watcher, LONGEST_NAME)}" if self.watcher else event

    @property
    def summary(self) -> str:
        """One line."""
        more = f" ({_more(self.left_out)})" if self.left_out else ""
        if self.event == LEFT_OUT:
            return f"{_more(self.left_out)} on {self.host}"
        facts = ", ".join(f"{key} {value}" for key, value in self._facts())
        details = f" ({escaped(facts, LONGEST_SUMMARY)})" if facts else ""
        watcher, event = escaped(self.watcher, LONGEST_NAME), escaped(self.event, LONGEST_NAME)
        return f"{watcher} on {self.host}: {event}{details}{more}"

    def filled(self, template: str, *, as_json: bool = False) -> str:
        """Return a template with everything in its place; ``as_json`` inside texts of JSON."""
        if as_json:
            placeholders = {
                key: json.dumps(value)[1:-1] for key, value in self._placeholders(_cut).items()
            }
        else:
            placeholders = self._placeholders(_one_line)
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
            "body": {key: _cut_value(value) for key, value in self.body.items()},
        }
        return json.dumps(fields)

    def _facts(self) -> list[tuple[str, str]]:
        facts = (
            (escaped(key, LONGEST_NAME), _one_line(_text(value)))
            for key, value in self.body.items()
            if key not in _COMMON and value is not None
        )
        return list(islice(facts, MOST_FACTS))

    def _placeholders(self, bounded: Callable[[str], str]) -> dict[str, str]:
        """Return what stands for each name; ``bounded`` makes values of the event bearable."""
        placeholders = {
            key: bounded(_text(value)) for key, value in self.body.items() if value is not None
        }
        watcher, event = _one_line(self.watcher), _one_line(self.event)
        lines = [f"watcher: {watcher}", f"event: {event}", f"host: {self.host}"]
        lines += [f"time: {_moment(self.body.get('time'))}"]
        lines += [f"{key}: {value}" for key, value in self._facts()]
        if self.left_out:
            lines.append(_more(self.left_out))
        return {
            **placeholders,
            "watcher": bounded(self.watcher),
            "event": bounded(self.event),
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


def _one_line(text: str) -> str:
    return escaped(text, LONGEST_VALUE)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _cut_value(value: object) -> object:
    """Return a value of an event's body; what is longer as JSON than a text may be is cut."""
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Mapping | list):
        text = json.dumps(value)
        return value if len(text) <= LONGEST_VALUE else _cut(text)
    return value


def _moment(time: object) -> str:
    if not isinstance(time, int | float):
        return ""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
