"""A daemon in memory behind the port at which all entrances come in."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.model.events import Event
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.dispatch import Dispatcher
from cvec_circus_core.testing import FakeClock, FakeSupervisor, FakeWatcher

COMMANDS: Mapping[str, Command] = load_commands()


class MemoryDaemon:
    """Two watchers, one of which lists bob and the key of bob, and the audit of what happens."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        listed = ["bob", "key:bob"]
        web = FakeWatcher("web", numprocesses=2, allow_users=listed, env={"TOKEN": "secret"})
        self.supervisor = FakeSupervisor(web.up(), FakeWatcher("db").up())
        self.audit = Audit(self.clock, self.events.append)

    def dispatcher(self, **more: Command) -> Dispatcher:
        """Return what runs the real commands on it, and ``more``."""
        return Dispatcher({**COMMANDS, **more}, self.supervisor, self.audit)

    def audited(self) -> list[tuple[object, object, object]]:
        """Return who did what, and with which outcome."""
        facts = [event.facts() for event in self.events]
        return [(fact["who"], fact["command"], fact["outcome"]) for fact in facts]


@pytest.fixture
def daemon() -> MemoryDaemon:
    """Return a daemon in memory."""
    return MemoryDaemon()
