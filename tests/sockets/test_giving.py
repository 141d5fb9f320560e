"""Which descriptors a process gets, under which numbers, and how it is told."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.launch import Launch, SpawnEnvironment, prepare
from cvec_circus_core.system.processes.launch_files import LaunchFiles, files_of

AROUND = SpawnEnvironment(
    environ={"PATH": "/bin", "LISTEN_FDS": "9", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x"},
    sockets=("admin", "dns", "web"),
)
NUMBERS = {"admin": 8, "dns": 9, "web": 7}


def launch(**options: Any) -> Launch:
    return prepare(WatcherSpec(**{"name": "w", "cmd": "serve", **options}), AROUND)


def plan(**options: Any) -> LaunchPlan:
    return launch(**options).plan.with_numbers(NUMBERS)


def descriptors(given: LaunchPlan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what it has by number, and what it has in a row."""
    files = files_of(given, Stdio(), NUMBERS)
    return files.numbered, files.listening


def told(given: LaunchPlan) -> dict[str, str]:
    return {name: text for name, text in given.env.items() if name.startswith("LISTEN")}


@pytest.mark.parametrize(
    ("options", "kept", "words"),
    [
        ({}, (), ("serve",)),
        ({"cmd": "serve $(circus.sockets.web)"}, (7,), ("serve", "7")),
        ({"args": ("--fd=((CIRCUS.Sockets.Web))",)}, (7,), ("serve", "--fd=7")),
        ({"env": {"FD": "$(circus.sockets.admin)"}}, (8,), ("serve",)),
        (
            {"args": ("$(circus.sockets.web)", "$(circus.sockets.admin)", "$(circus.sockets.web)")},
            (7, 8),
            ("serve", "7", "8", "7"),
        ),
    ],
)
def test_by_number(options: dict[str, Any], kept: tuple[int, ...], words: tuple[str, ...]) -> None:
    given = plan(use_sockets=True, **options) if options else plan()
    assert (*descriptors(given), given.argv) == (kept, (), words)
    assert not told(given)


@pytest.mark.parametrize(
    ("options", "row", "names"),
    [
        ({"use_sockets": True}, (8, 9, 7), "admin:dns:web"),
        ({"sockets": ("web",)}, (7,), "web"),
        ({"sockets": ("web", "admin", "web")}, (7, 8), "web:admin"),
    ],
)
def test_in_a_row(options: dict[str, Any], row: tuple[int, ...], names: str) -> None:
    given = plan(**options)
    assert descriptors(given) == ((), row)
    count = names.count(":") + 1
    assert told(given) == {"LISTEN_FDS": str(count), "LISTEN_FDNAMES": names}


def test_a_variable_tells_the_number_that_the_process_has() -> None:
    words = ("$(circus.sockets.web)", "$(circus.sockets.admin)")
    given = plan(sockets=("admin",), use_sockets=True, args=words)
    assert (given.argv, descriptors(given)) == (("serve", "4", "3"), ((), (8, 7)))
    assert told(given) == {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "admin"}


def test_as_standard_input() -> None:
    given = plan(stdin_socket="web")
    assert files_of(given, Stdio(), NUMBERS) == LaunchFiles(stdin=7)


def test_one_of_its_own_for_each_process() -> None:
    one = launch(use_sockets=True, cmd="serve $(circus.sockets.dns) $(circus.sockets.web)")
    for wid, number in ((1, 20), (2, 21)):
        numbers = {**NUMBERS, "dns": number}
        given = one.for_slot(wid)
        assert given.with_numbers(numbers).argv[1:] == (str(number), "7")
        assert files_of(given, Stdio(), numbers).numbered == (number, 7)


def test_what_looks_like_a_number_of_a_socket_is_text() -> None:
    given = plan(
        cmd="serve $(circus.sockets.web) $(circus.env.trap)", env={"TRAP": "$(circus.sockets"}
    )
    assert given.argv == ("serve", "7", "$(circus.sockets")


@pytest.mark.parametrize(
    "options",
    [
        {"cmd": "serve $(circus.sockets.gone)"},
        {"sockets": ("gone",)},
        {"stdin_socket": "gone"},
    ],
)
def test_one_that_is_not_there_is_told(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the socket 'gone' is not there"):
        plan(use_sockets=True, **options)


def test_what_was_told_to_the_daemon_is_not_told_on() -> None:
    assert plan().env == {"PATH": "/bin"}
    assert told(plan(env={"LISTEN_FDS": "mine"})) == {"LISTEN_FDS": "mine"}
