"""What a new configuration does to the sockets that are there, and to who uses them."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.socket_plan import (
    SocketPlan,
    plan_sockets,
    same_address,
    still_used,
    touched,
    users,
)

By = dict[str, SocketSpec]


def sock(name: str, **options: Any) -> By:
    return {name: SocketSpec(name=name, **{"port": 80, **options})}


@pytest.mark.parametrize(
    ("old", "new", "in_force", "add", "remove", "renew", "adjust"),
    [
        (sock("a"), sock("a"), sock("a"), "", "", "", ""),
        ({}, sock("a"), {}, "a", "", "", ""),
        (sock("a"), {}, sock("a"), "", "a", "", ""),
        (sock("a"), {}, {}, "", "", "", ""),
        ({}, {}, sock("run-time"), "", "", "", ""),
        (sock("a"), sock("a", port=81), sock("a"), "", "", "a", ""),
        (sock("a"), sock("a", blocking=True), sock("a"), "", "", "a", ""),
        (sock("a"), sock("a", backlog=5), sock("a"), "", "", "", "a"),
        (
            sock("a"),
            sock("a", mode=0o600, owner="x", group="y", umask=0),
            sock("a"),
            "",
            "",
            "",
            "a",
        ),
        (sock("a"), sock("a", backlog=5, type="SOCK_DGRAM"), sock("a"), "", "", "a", ""),
        (sock("a"), sock("b"), sock("a"), "b", "a", "", ""),
    ],
)
def test_plan(
    old: By, new: By, in_force: By, add: str, remove: str, renew: str, adjust: str
) -> None:
    plan = plan_sockets(old, new, in_force)
    found = (plan.add, plan.remove, plan.renew, plan.adjust)
    assert tuple("".join(part) for part in found) == (add, remove, renew, adjust)
    assert plan.is_empty is not bool(add or remove or renew or adjust)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"host": "0.0.0.0"}, True),
        ({}, {"so_reuseport": True}, True),
        ({}, {"port": 81}, False),
        ({"port": 0}, {"port": 0}, False),
        ({}, {"type": "SOCK_DGRAM"}, False),
        ({}, {"path": "/s"}, False),
        ({"path": "/s"}, {"path": "/s", "type": "SOCK_DGRAM"}, True),
        ({"path": "/s"}, {"path": "/t"}, False),
    ],
)
def test_same_address(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert same_address(sock("a", **one)["a"], sock("a", **other)["a"]) is same


def watchers(**options: dict[str, Any]) -> dict[str, WatcherSpec]:
    return {name: WatcherSpec(name=name, cmd="x", **how) for name, how in options.items()}


THERE = watchers(
    none={},
    all={"use_sockets": True},
    number={"use_sockets": True, "args": ("$(circus.sockets.web)",)},
    listed={"sockets": ("web", "admin")},
    stdin={"stdin_socket": "admin"},
)


def test_users() -> None:
    assert users(THERE.values(), "web", ["admin", "web"]) == ["all", "number", "listed"]
    assert users(THERE.values(), "admin", ["admin", "web"]) == ["all", "listed", "stdin"]


@pytest.mark.parametrize(
    ("removed", "who"), [("web", ("number", "listed")), ("admin", ("listed", "stdin"))]
)
def test_who_can_not_do_without(removed: str, who: tuple[str, ...]) -> None:
    told = list(still_used(SocketPlan(remove=(removed,)), THERE.values()))
    assert told == [f"[socket:{removed}] is gone, but watcher {one} uses it" for one in who]


@pytest.mark.parametrize(
    ("plan", "before", "after", "keys"),
    [
        (SocketPlan(), "web admin", "web admin", ""),
        (SocketPlan(add=sock("new")), "web admin", "web admin new", "all"),
        (SocketPlan(remove=("old",)), "web admin old", "web admin", "all"),
        (SocketPlan(renew=sock("web")), "web admin", "web admin", "all number listed"),
        (SocketPlan(renew=sock("admin")), "web admin", "web admin", "all listed stdin"),
        (SocketPlan(adjust=sock("web")), "web admin", "web admin", ""),
    ],
)
def test_who_gets_new_processes(plan: SocketPlan, before: str, after: str, keys: str) -> None:
    assert " ".join(touched(plan, THERE, before.split(), after.split())) == keys
