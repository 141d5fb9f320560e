"""The table of verbs covers the ports, each member with its right, and nothing beside."""

from __future__ import annotations

import pytest

from cvec_circus_core.extend.ports import SocketsPort, Supervisor, WatcherPort
from cvec_circus_core.model.access import Caller, LocalUser, NotAllowed, Rights
from cvec_circus_core.requests.restricted import Restrictions, restricted
from cvec_circus_core.requests.verbs import (
    SOCKETS_PORT,
    SUPERVISOR_PORT,
    WATCHER_PORT,
    Port,
    Right,
)
from cvec_circus_core.testing import FakeSupervisor, FakeWatcher

LISTED = Caller(LocalUser(1001), "user 'bob'", Rights(words=frozenset({"bob"})))
PORTS = [(WatcherPort, WATCHER_PORT), (SocketsPort, SOCKETS_PORT), (Supervisor, SUPERVISOR_PORT)]


@pytest.mark.parametrize(("protocol", "port"), PORTS)
def test_each_member_of_a_port_has_its_row(protocol: type, port: Port) -> None:
    members = {name for name in vars(protocol) if not name.startswith("_")}
    assert set(port.verbs) == members
    assert port.attributes == {
        name for name in members if isinstance(vars(protocol)[name], property)
    }


@pytest.mark.parametrize(("protocol", "port"), PORTS)
def test_what_is_open_to_others_changes_nothing(protocol: type, port: Port) -> None:
    for name, verb in port.verbs.items():
        if verb.right in (Right.ADMITTED, Right.READING):
            assert not verb.command, name


def test_a_member_without_a_row_is_closed() -> None:
    restrictions = Restrictions(LISTED, "stop", acts=True)
    watcher = FakeWatcher("web", allow_users=["bob"])
    supervisor = restricted(FakeSupervisor(watcher), restrictions)
    with pytest.raises(AttributeError):
        _ = supervisor.said  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        _ = supervisor.watcher("web").variables  # type: ignore[attr-defined]


@pytest.mark.parametrize("port", [WATCHER_PORT, SUPERVISOR_PORT, SOCKETS_PORT])
def test_what_needs_everything_is_refused_when_it_is_called(port: Port) -> None:
    restrictions = Restrictions(LISTED, "stop", acts=True)
    supervisor = restricted(FakeSupervisor(FakeWatcher("web", allow_users=["bob"])), restrictions)
    target = {
        id(WATCHER_PORT): supervisor.watcher("web"),
        id(SUPERVISOR_PORT): supervisor,
        id(SOCKETS_PORT): supervisor.sockets,
    }[id(port)]
    closed = [
        name
        for name, verb in port.verbs.items()
        if verb.right in (Right.EVERYTHING, Right.SECRETS) and name not in port.attributes
    ]
    assert closed
    for name in closed:
        method = getattr(target, name)
        with pytest.raises(NotAllowed):
            method()
