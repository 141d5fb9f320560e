"""Sockets as the daemon keeps them: exchanged without a gap, and listened at for knocks."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cvec_circus_core.model.errors import CannotBind, Conflict
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.policy.socket_plan import SocketPlan, plan_sockets
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.system.net.owned_sockets import OwnedSockets


@pytest.fixture
def owned() -> Iterator[OwnedSockets]:
    loop = asyncio.new_event_loop()
    yield OwnedSockets(loop)
    loop.close()


@pytest.fixture
def shelf(owned: OwnedSockets) -> Iterator[ManagedSockets]:
    one = ManagedSockets(owned)
    yield one
    one.close_all()


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="circus-") as name:
        yield Path(name)


def sock(name: str = "web", **options: Any) -> SocketSpec:
    return SocketSpec(name=name, **{"host": "127.0.0.1", "port": 0, **options})


def port(shelf: ManagedSockets, name: str = "web") -> int:
    (found,) = (view.port for view in shelf.views() if view.name == name)
    assert found is not None
    return found


def change(shelf: ManagedSockets, *new: SocketSpec) -> SocketPlan:
    there = dict(shelf.specs)
    return plan_sockets(there, {one.name: one for one in new}, there)


def port_of(number: int) -> int:
    with socket.socket(fileno=os.dup(number)) as one:
        bound: int = one.getsockname()[1]
    return bound


def knock(number: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", number), timeout=5)


def test_all_problems_are_told_and_the_others_are_open(shelf: ManagedSockets) -> None:
    told = shelf.open_all([sock("a", path="/no/a"), sock("b"), sock("c", path="/no/c")])
    assert [one.split(" ")[0] for one in told] == ["[socket:a]", "[socket:c]"]
    assert list(shelf.numbers) == ["b"]


def test_a_name_is_taken_once(shelf: ManagedSockets) -> None:
    shelf.open(sock())
    with pytest.raises(Conflict, match="there is a socket named 'web' already"):
        shelf.open(sock())


def test_pictures_stand_in_the_order_of_numbers(shelf: ManagedSockets, folder: Path) -> None:
    shelf.open(sock("b", path=f"{folder}/s", backlog=7))
    shelf.open(sock("a"))
    b, a = shelf.views()
    assert (b.name, b.host, b.port, b.path, b.backlog) == ("b", None, None, f"{folder}/s", 7)
    assert (a.name, a.host, a.port, a.path) == ("a", "127.0.0.1", port(shelf, "a"), None)
    assert (b.fd, a.fd) == (shelf.numbers["b"], shelf.numbers["a"])


@pytest.mark.parametrize("type", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_one_for_each_process(owned: OwnedSockets, shelf: ManagedSockets, type: str) -> None:
    shelf.open(sock(so_reuseport=True, type=type))
    assert shelf.per_process == {"web"}
    with owned.lend(["web"]) as one, owned.lend(["web"]) as other:
        assert port_of(one["web"]) == port_of(other["web"]) == port(shelf) > 0
        assert len({one["web"], other["web"], shelf.numbers["web"]}) == 3


def test_what_holds_the_place_takes_no_connection(
    owned: OwnedSockets, shelf: ManagedSockets
) -> None:
    shelf.open(sock(so_reuseport=True))
    with pytest.raises(ConnectionRefusedError):
        knock(port(shelf))
    with owned.lend(["web"]) as numbers, socket.socket(fileno=os.dup(numbers["web"])) as one:
        one.setblocking(True)
        for _ in range(20):
            with knock(port(shelf)):
                one.accept()[0].close()


def test_a_failure_changes_nothing(shelf: ManagedSockets) -> None:
    shelf.open(sock())
    before = dict(shelf.numbers)
    plan = change(
        shelf, sock(port=0, blocking=True), sock("a", path="/no/a"), sock("b", path="/no/b")
    )
    with pytest.raises(CannotBind, match=r"\[socket:a\].*; \[socket:b\]"):
        shelf.prepare(plan)
    assert shelf.numbers == before
    with knock(port(shelf)):
        pass


def test_an_exchange_has_no_gap(shelf: ManagedSockets, folder: Path) -> None:
    path = str(folder / "s")
    shelf.open(sock(path=path))
    exchange = shelf.prepare(change(shelf, sock(path=path, blocking=True)))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    assert exchange.apply() == []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    assert os.listdir(folder) == ["s"]


def test_an_exchange_may_be_abandoned(shelf: ManagedSockets, folder: Path) -> None:
    shelf.open(sock(path=str(folder / "s")))
    shelf.prepare(change(shelf, sock(path=str(folder / "s"), blocking=True))).abandon()
    assert os.listdir(folder) == ["s"]


def test_what_comes_goes_and_stays(shelf: ManagedSockets) -> None:
    shelf.open_all([sock("stays"), sock("goes")])
    kept = shelf.numbers["stays"]
    assert shelf.prepare(change(shelf, sock("stays"), sock("comes"))).apply() == []
    assert sorted(shelf.numbers) == ["comes", "stays"]
    assert shelf.numbers["stays"] == kept


def test_the_queue_alone_is_put_right_in_place(shelf: ManagedSockets) -> None:
    shelf.open(sock())
    kept, number = shelf.numbers["web"], port(shelf)
    assert shelf.prepare(change(shelf, sock(backlog=5))).apply() == []
    assert (shelf.numbers["web"], port(shelf)) == (kept, number)
    assert shelf.views()[0].backlog == 5


def test_an_address_that_the_old_one_holds_is_late(shelf: ManagedSockets) -> None:
    shelf.open(sock())
    number = port(shelf)
    shelf.close("web")
    shelf.open(sock(port=number))
    wide = sock(port=number, host="0.0.0.0")
    exchange = shelf.prepare(change(shelf, wide))
    assert exchange.late == [wide]
    assert exchange.apply() == []
    assert shelf.views()[0].host == "0.0.0.0"


def test_a_late_one_that_fails_brings_the_old_one_back(shelf: ManagedSockets) -> None:
    shelf.open(sock())
    number = port(shelf)
    shelf.close("web")
    shelf.open(sock(port=number))
    elsewhere = sock(port=number, host="192.0.2.1")
    (problem,) = shelf.prepare(change(shelf, elsewhere)).apply()
    assert "no network device of this machine has that address" in problem
    with knock(number):
        pass


def test_a_knock_is_told_once_to_all_who_wait() -> None:
    async def main() -> None:
        shelf, told = ManagedSockets(OwnedSockets(asyncio.get_running_loop())), []
        shelf.open_all([sock("a"), sock("b")])
        knocked = asyncio.Event()

        def hear(who: str) -> None:
            told.append(who)
            knocked.set()

        shelf.activation.wait(["a", "b"], lambda: hear("both"))
        shelf.activation.wait(["a"], lambda: hear("a"))
        shelf.activation.wait(["b"], lambda: hear("b"))
        end = shelf.activation.wait(["a"], lambda: hear("nobody"))
        end()
        with knock(port(shelf, "a")), knock(port(shelf, "a")):
            await asyncio.wait_for(knocked.wait(), 5)
            assert told == ["both", "a"]
            knocked.clear()
            with knock(port(shelf, "b")):
                await asyncio.wait_for(knocked.wait(), 5)
        assert told == ["both", "a", "b"]
        shelf.close_all()

    asyncio.run(main())


def test_who_waits_goes_on_waiting_when_the_socket_is_exchanged() -> None:
    async def main() -> None:
        shelf = ManagedSockets(OwnedSockets(asyncio.get_running_loop()))
        knocked = asyncio.Event()
        shelf.open(sock())
        shelf.activation.wait(["web"], knocked.set)
        shelf.prepare(change(shelf, sock(blocking=True))).apply()
        with knock(port(shelf)):
            await asyncio.wait_for(knocked.wait(), 5)
        shelf.close_all()

    asyncio.run(main())
