"""Fakes for those who write plugins and commands: a daemon in memory, a clock, processes.

`FakeSupervisor` is what a command's ``execute`` gets. Its watchers do at once what they are asked:
a process is a number, nothing runs, and every wish is written down in ``said``. What goes by
options, names and patterns is the real thing, so that mistakes are refused as the daemon would::

    daemon = FakeSupervisor(FakeWatcher("web", cmd="web", numprocesses=2).up())
    reply = await Stop().execute(daemon, Stop.request(name="web", waiting=True))
    assert daemon.said == ["stop web"]
"""

from __future__ import annotations

from cvec_circus_core.system.fakes import FakeClock, FakeProcesses
from cvec_circus_core.testing.fake_supervisor import FakeSockets, FakeSupervisor, info_of
from cvec_circus_core.testing.fake_watcher import FakeTicket, FakeWatcher

__all__ = [
    "FakeClock",
    "FakeProcesses",
    "FakeSockets",
    "FakeSupervisor",
    "FakeTicket",
    "FakeWatcher",
    "info_of",
]
