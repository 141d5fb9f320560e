"""Who waits for a connection is told once, wherever it comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.runtime.socket_activation import ActivationListener


class Watches:
    """The watches that are open, by socket."""

    def __init__(self) -> None:
        self.open: dict[str, Callable[[], None]] = {}

    def watch(self, name: str, on_connection: Callable[[], None]) -> Callable[[], None]:
        """Open one; there is never a second of the same socket."""
        assert name not in self.open
        self.open[name] = on_connection

        def end() -> None:
            del self.open[name]

        return end


@pytest.fixture
def watches() -> Watches:
    return Watches()


@pytest.fixture
def listener(watches: Watches) -> ActivationListener:
    listener = ActivationListener(watches.watch)
    for name in ("a", "b"):
        listener.add(name)
    return listener


def test_nothing_is_watched_for_nobody(watches: Watches, listener: ActivationListener) -> None:
    assert not watches.open


def test_all_who_wait_are_told_once(watches: Watches, listener: ActivationListener) -> None:
    told: list[str] = []
    listener.wait(["a", "b"], lambda: told.append("both"))
    listener.wait(["a"], lambda: told.append("a"))
    listener.wait(["b"], lambda: told.append("b"))
    assert sorted(watches.open) == ["a", "b"]
    watches.open["a"]()
    assert told == ["both", "a"]
    assert sorted(watches.open) == ["b"]
    watches.open["b"]()
    assert told == ["both", "a", "b"]
    assert not watches.open


def test_who_gives_up_is_not_told(watches: Watches, listener: ActivationListener) -> None:
    told: list[str] = []
    end = listener.wait(["a", "a"], lambda: told.append("a"))
    end()
    end()
    assert not watches.open
    assert told == []


def test_who_waits_again_while_being_told_waits_for_the_next(
    watches: Watches, listener: ActivationListener
) -> None:
    told: list[int] = []

    def again() -> None:
        told.append(len(told))
        listener.wait(["a"], again)

    listener.wait(["a"], again)
    watches.open["a"]()
    watches.open["a"]()
    assert told == [0, 1]


@pytest.mark.parametrize("comes_first", ["socket", "waiter"])
def test_a_socket_and_its_waiter_may_come_in_any_order(watches: Watches, comes_first: str) -> None:
    listener, told = ActivationListener(watches.watch), list[str]()
    steps: dict[str, Callable[[], object]] = {
        "socket": lambda: listener.add("a"),
        "waiter": lambda: listener.wait(["a"], lambda: told.append("a")),
    }
    steps.pop(comes_first)()
    assert not watches.open
    for step in steps.values():
        step()
    watches.open["a"]()
    assert told == ["a"]


def test_a_socket_that_goes_is_watched_no_more_and_the_next_of_its_name_is(
    watches: Watches, listener: ActivationListener
) -> None:
    listener.wait(["a"], lambda: None)
    listener.remove("a")
    assert not watches.open
    listener.add("a")
    assert sorted(watches.open) == ["a"]
