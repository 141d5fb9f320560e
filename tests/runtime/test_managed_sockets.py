"""Managed sockets over an owner in memory: what is opened, exchanged, and brought back."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.errors import CannotBind, Conflict
from cvec_circus_core.model.launch import Served
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.policy.socket_plan import SocketPlan
from cvec_circus_core.runtime.managed_sockets import ManagedSockets, bind_plan, spec_of
from cvec_circus_core.system.fake_sockets import FakeSocketOwner


def sock(name: str = "web", **options: Any) -> SocketSpec:
    """Return a spec; the port is any free one unless said otherwise."""
    return SocketSpec(name=name, **{"host": "h", "port": 0, **options})


@pytest.fixture
def owner() -> FakeSocketOwner:
    return FakeSocketOwner()


@pytest.fixture
def sockets(owner: FakeSocketOwner) -> ManagedSockets:
    return ManagedSockets(owner)


def test_what_was_opened_is_kept_by_name(owner: FakeSocketOwner, sockets: ManagedSockets) -> None:
    view = sockets.open(sock(backlog=9))
    assert (view.name, view.fd, view.host, view.port, view.path) == ("web", 10, "h", 40_000, None)
    assert sockets.names == ("web",)
    assert sockets.numbers == {"web": 10}
    assert sorted(owner.kept) == ["web"]
    with pytest.raises(Conflict, match="there is a socket named 'web' already"):
        sockets.open(sock())


def test_a_file_has_neither_host_nor_port(sockets: ManagedSockets) -> None:
    view = sockets.open(sock(path="/run/s"))
    assert (view.host, view.port, view.path) == (None, None, "/run/s")


def test_what_can_not_be_opened_is_told_and_the_others_are(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    owner.taken = {"h:1", "h:3"}
    problems = sockets.open_all([sock("a", port=1), sock("b", port=2), sock("c", port=3)])
    assert [problem.split()[0] for problem in problems] == ["[socket:a]", "[socket:c]"]
    assert sockets.names == ("b",)


def test_names_are_another_object_only_when_sockets_come_or_go(sockets: ManagedSockets) -> None:
    sockets.open(sock("b"))
    names = sockets.names
    sockets.adjust(sock("b", backlog=3))
    assert sockets.names is names
    sockets.open(sock("a"))
    assert sockets.names == ("a", "b")


def test_where_processes_listen(sockets: ManagedSockets) -> None:
    sockets.open_all(
        [sock("tcp", port=80), sock("file", path="/s"), sock("udp", port=53, type="SOCK_DGRAM")]
    )
    everything = sockets.served(("tcp", "file", "udp", "gone"))
    assert everything == Served(frozenset({80}), frozenset({"/s"}))
    assert not sockets.served(("udp",))


def test_an_exchange_keeps_renews_and_removes(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    sockets.open_all([sock("old"), sock("renewed", port=1), sock("adjusted", port=2)])
    before = dict(sockets.numbers)
    plan = SocketPlan(
        add={"new": sock("new")},
        remove=("old",),
        renew={"renewed": sock("renewed", port=3)},
        adjust={"adjusted": sock("adjusted", port=2, backlog=5)},
    )
    exchange = sockets.prepare(plan)
    assert sockets.numbers == before
    assert sorted(owner.kept) == ["adjusted", "old", "renewed"]
    assert exchange.apply() == []
    assert sorted(owner.kept) == ["adjusted", "new", "renewed"]
    assert not owner.aside
    assert sockets.numbers["adjusted"] == before["adjusted"]
    assert sockets.numbers["renewed"] != before["renewed"]
    assert sockets.specs["adjusted"].backlog == 5


def test_a_failure_opens_nothing(owner: FakeSocketOwner, sockets: ManagedSockets) -> None:
    sockets.open(sock())
    owner.taken = {"h:1"}
    with pytest.raises(CannotBind, match=r"\[socket:bad\] can not listen at h:1"):
        sockets.prepare(SocketPlan(add={"good": sock("good"), "bad": sock("bad", port=1)}))
    assert (sorted(owner.kept), owner.aside) == (["web"], {})


def test_a_plan_takes_the_place_of_one_that_was_not_applied(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    sockets.prepare(SocketPlan(add={"a": sock("a")}))
    sockets.prepare(SocketPlan(add={"b": sock("b")})).apply()
    assert (sorted(owner.kept), owner.aside) == (["b"], {})


def test_an_address_held_by_its_old_self_is_late(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    sockets.open(sock(port=80))
    renewed = sock(port=80, blocking=True)
    exchange = sockets.prepare(SocketPlan(renew={"web": renewed}))
    assert exchange.late == [renewed]
    number = sockets.numbers["web"]
    assert exchange.apply() == []
    assert sockets.numbers["web"] != number
    assert sockets.specs["web"] == renewed


def test_a_late_one_that_fails_brings_the_old_one_back(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    sockets.open(sock(port=80))
    owner.taken = {"other:80"}
    exchange = sockets.prepare(SocketPlan(renew={"web": sock(port=80, host="other")}))
    (problem,) = exchange.apply()
    assert "other:80" in problem
    assert (sockets.views()[0].host, sockets.views()[0].port) == ("h", 80)


def test_who_waits_goes_on_when_the_socket_is_exchanged(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    connected: list[str] = []
    sockets.open(sock(port=1))
    sockets.activation.wait(["web"], lambda: connected.append("web"))
    sockets.prepare(SocketPlan(renew={"web": sock(port=2)})).apply()
    owner.connect("web")
    assert connected == ["web"]


def test_nobody_waits_at_one_that_each_process_has_of_its_own(sockets: ManagedSockets) -> None:
    sockets.open(sock(so_reuseport=True))
    connected: list[str] = []
    sockets.activation.wait(["web"], lambda: connected.append("web"))
    assert sockets.per_process == {"web"}
    assert connected == []


def test_all_are_closed_with_what_was_prepared(
    owner: FakeSocketOwner, sockets: ManagedSockets
) -> None:
    sockets.open(sock())
    sockets.prepare(SocketPlan(add={"a": sock("a")}))
    sockets.close_all()
    assert (owner.kept, owner.aside, sockets.names) == ({}, {}, ())


def test_a_spec_and_a_plan_say_the_same() -> None:
    spec = sock(path="/s", mode=0o600, owner="root", backlog=1, replace=True)
    assert spec_of(bind_plan(spec)) == spec
