"""Who has to go before whom, where ports move from one watcher to another."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.port_moves import joined_with_givers, let_go, ports_named_by

Ports = dict[str, frozenset[int]]


def of(**ports: int) -> Ports:
    return {key: frozenset({port}) for key, port in ports.items()}


@pytest.mark.parametrize(
    ("groups", "taken", "given", "turns"),
    [
        # Nothing moves: each has its own turn.
        ([["a"], ["b"]], {}, {}, [["a"], ["b"]]),
        ([["a"], ["b"]], of(a=8000), of(b=8001), [["a"], ["b"]]),
        # Who leaves a port has its turn with the one that takes it; it may have gone before, too.
        ([["a"], ["b"]], of(a=8000), of(b=8000), [["a", "b"]]),
        ([["a"], ["b"]], of(b=8000), of(a=8000), [["a"], ["b"]]),
        # Two exchange their ports, three do in a circle.
        ([["a"], ["b"]], of(a=1000, b=2000), of(a=2000, b=1000), [["a", "b"]]),
        (
            [["a"], ["x"], ["b"], ["c"]],
            of(a=1000, b=2000, c=3000),
            of(b=1000, c=2000, a=3000),
            [["a", "b", "c"], ["x"]],
        ),
    ],
)
def test_a_port_is_left_no_later_than_it_is_taken(
    groups: list[list[str]], taken: Ports, given: Ports, turns: list[list[str]]
) -> None:
    assert joined_with_givers(groups, taken, given) == turns


def test_ports_are_numbers_in_the_command_or_the_environment() -> None:
    spec = WatcherSpec(
        name="web",
        cmd="serve --bind 127.0.0.1:8000 --version 3.11",
        args=("9",),
        env={"PORT": "8001"},
    )
    assert ports_named_by(spec) == {8000, 8001}


def test_who_has_no_process_any_more_leaves_its_ports() -> None:
    old = WatcherSpec(name="web", cmd="serve 8000")
    assert let_go(old, old) == frozenset()
    assert let_go(old, WatcherSpec(name="web", cmd="serve 8000", numprocesses=0)) == {8000}
