"""What signals, hooks and the embedding program do is audited as the same command would be."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from cvec_circus_core.extend.ports import Supervisor
from cvec_circus_core.model.errors import UnknownProcess, UnknownWatcher
from cvec_circus_core.requests.audited import audited, insider
from cvec_circus_core.requests.verbs import SUPERVISOR, WATCHER
from cvec_circus_core.testing import FakeSupervisor


class ToOne:
    """A signal to one process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.wid = None
        self.childpid = None
        self.children = False
        self.recursive = False


@pytest.fixture
def surface(daemon: Any) -> Supervisor:
    """Return the daemon as a Unix signal acts on it."""
    return audited(daemon.supervisor, insider("SIGHUP"), daemon.audit)


def test_each_verb_for_all_leaves_the_record_of_its_command(
    daemon: Any, surface: Supervisor
) -> None:
    surface.reload_all(sequential=True)
    surface.reopen_all()
    surface.quit()
    surface.matching("*", "glob")[0].restart()
    assert daemon.audited() == [
        ("SIGHUP", command, "ok") for command in ("reload", "reopen", "quit", "restart")
    ]
    assert daemon.supervisor.said == ["reload all one by one", "reopen all", "quit", "restart db"]


def test_an_act_on_a_watcher_names_it_and_what_was_set_but_no_values(
    daemon: Any, surface: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    web = surface.watcher("WEB")
    with caplog.at_level("INFO"):
        web.change({"env": {"TOKEN": "hidden"}, "numprocesses": 3})
        web.signal(1, ToOne(next(iter(daemon.supervisor.watcher("web").pids.values()))))
    assert caplog.messages[0] == "SIGHUP: set name=web options='env,numprocesses': ok"
    assert caplog.messages[1].startswith("SIGHUP: signal name=web pid=")
    assert "hidden" not in caplog.text


def test_a_failure_is_audited_and_raised(daemon: Any, surface: Supervisor) -> None:
    with pytest.raises(UnknownProcess):
        surface.watcher("web").kill(1, None, None)
    with pytest.raises(UnknownWatcher):
        surface.remove("nope")
    assert [outcome for _, _, outcome in daemon.audited()] == ["failed", "failed"]


def test_looks_and_announcements_leave_no_record(daemon: Any, surface: Supervisor) -> None:
    assert [watcher.name for watcher in surface.watchers()] == ["db", "web"]
    assert surface.pid == 1
    assert surface.sockets.views() == []
    surface.watcher("web").options()
    surface.watcher("web").announce("deployed", {})
    assert daemon.events == []
    assert daemon.supervisor.said == ["announce web.deployed {}"]


def test_sockets_are_audited_too(daemon: Any, surface: Supervisor) -> None:
    surface.sockets.add("web", {"port": 0})
    surface.sockets.remove("web")
    assert daemon.audited() == [("SIGHUP", name, "ok") for name in ("addsocket", "rmsocket")]


def test_the_fake_has_each_verb_as_the_port_declares_it() -> None:
    fake = FakeSupervisor()
    for name in SUPERVISOR:
        member = inspect.getattr_static(Supervisor, name)
        if not isinstance(member, property):
            declared = inspect.signature(member).parameters
            assert list(inspect.signature(getattr(fake, name)).parameters) == list(declared)[1:]
    assert {verb.command for verb in WATCHER.values()} >= {"start", "stop", "set", "signal"}
