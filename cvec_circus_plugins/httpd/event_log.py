"""What happened at a daemon since the console listens, and how everything was found then.

A daemon tells events when they happen and keeps none. So the log begins with what it can tell of
the time before: how each watcher fares that is not simply well, how its last process ended, and
why. It does so again whenever the daemon was away, because events may have been missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus_core.api import unix_time

EVENTS_KEPT = 1000
AUDIT = "audit."
OWN = "console."
"""How topics begin that are no daemon's: what the console itself has to say."""

_TOLD = ("state", "running", "wanted", "restarts", "last_exit", "reason")

Event = Mapping[str, Any]


class EventLog:
    """The last events of one daemon."""

    def __init__(self, daemon: str) -> None:
        self._daemon = daemon
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.audits: deque[Event] = deque(maxlen=EVENTS_KEPT)
        """Who did what; kept apart, because processes that come and go would push it out."""

    def add(self, topic: str, facts: Mapping[str, Any]) -> Event:
        """Keep an event, and return it as pages get it."""
        event = {"type": "event", "daemon": self._daemon, "topic": topic, "body": facts}
        (self.audits if topic.startswith(AUDIT) else self.events).append(event)
        return event

    def found(self, watchers: Mapping[str, Mapping[str, Any]]) -> Iterator[Event]:
        """Keep how everything is when the console begins to listen, and yield it."""
        running = sum(state["running"] for state in watchers.values())
        facts = {"time": unix_time(), "watchers": len(watchers), "processes": running}
        yield self.add(f"{OWN}listening", facts)
        for name, state in watchers.items():
            if state["state"] != "active" or state["last_exit"] is not None or state["reason"]:
                told = {key: state[key] for key in _TOLD if state.get(key) is not None}
                told["state"] = state["shown"]
                yield self.add(f"{OWN}found", {"watcher": name, "time": unix_time(), **told})

    def lost(self, reason: str) -> Event:
        """Keep that nothing is heard any more."""
        return self.add(f"{OWN}lost", {"time": unix_time(), "reason": reason})
