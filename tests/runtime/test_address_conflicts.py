"""Whose fault it is that an address is in use, by what was written and a kernel that is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.address_conflicts import (
    NO_CONFLICT,
    AddressConflict,
    GoingPids,
    Kernel,
    conflict_of,
)

OLD = 11
WITH_OLD = AddressConflict(is_with_old=True)


def kernel(
    old_ports: tuple[int, ...] = (),
    holders: Mapping[int, int] = {},
    words: tuple[str, ...] = ("/usr/bin/server", "8000"),
) -> Kernel:
    return Kernel(
        lambda pids: frozenset(old_ports if OLD in pids else ()), holders.get, lambda pid: words
    )


@pytest.mark.parametrize(
    ("output", "asked", "conflict"),
    [
        (b"OSError: [Errno 98] Address already in use\n", kernel((8000,)), WITH_OLD),
        (b"Error: listen EADDRINUSE: address :::8000\n", kernel((8000,)), WITH_OLD),
        (b"Error: That port is already in use.\n", kernel((8000,)), WITH_OLD),
        (b"Port 8000 is in use by another program.\n", kernel((8000,)), WITH_OLD),
        (b"bind 0.0.0.0:8000: address already in use\n", kernel(), WITH_OLD),
        (b"no such module\n", kernel((8000,)), NO_CONFLICT),
        (b"serving on port 8000\nTraceback\n", kernel((8000,)), NO_CONFLICT),
        (
            b"listen EADDRINUSE: address :::9000\n",
            kernel((8000,), {9000: 77}, ("/usr/sbin/nginx",)),
            AddressConflict(holder="port 9000 is held by process 77 (nginx)"),
        ),
        (
            b"[Errno 98] error while attempting to bind on ('::', 9000): address in use\n",
            kernel((8000,), {9000: 77, 98: 1}, ("a\x1b[2J",)),
            AddressConflict(holder="port 9000 is held by process 77 (a\\x1b[2J)"),
        ),
    ],
)
def test_what_was_written_is_asked_first(
    output: bytes, asked: Kernel, conflict: AddressConflict
) -> None:
    spec = WatcherSpec(name="web", cmd="server 8000")
    assert conflict_of(output, spec, GoingPids((OLD,)), asked) == conflict


@pytest.mark.parametrize(
    ("cmd", "asked", "is_with_old"),
    [
        ("server 8000", kernel((8000,)), True),
        ("other --bind 0.0.0.0:8000", kernel((8000,)), True),
        ("server 8001", kernel((8000,)), False),
        ("false", kernel((8000,)), False),
        ("server -c new.conf", kernel((8000,), words=("server", "-c", "old.conf")), True),
        ("false", kernel((8000,), words=("server", "-c", "old.conf")), False),
        ("server 8000", kernel(), False),
    ],
)
def test_who_says_nothing_may_have_met_an_old_one(
    cmd: str, asked: Kernel, is_with_old: bool
) -> None:
    spec = WatcherSpec(name="web", cmd=cmd)
    assert conflict_of(b"\n", spec, GoingPids((OLD,)), asked).is_with_old is is_with_old
    assert conflict_of(b"", spec, GoingPids(), asked) == NO_CONFLICT
    assert conflict_of(b"", spec, GoingPids(None, lambda: (OLD,)), asked) == NO_CONFLICT


def test_a_foreign_holder_is_told_at_a_start_too() -> None:
    spec = WatcherSpec(name="web", cmd="server 9000")
    conflict = conflict_of(b"port 9000 is taken", spec, GoingPids(), kernel((), {9000: 5}))
    assert conflict.holder == "port 9000 is held by process 5 (server)"


@pytest.mark.parametrize(
    ("output", "ports", "conflict"),
    [
        (b"port 9001: address already in use", (9001,), AddressConflict(is_with_leaving=True)),
        (b"port 9001: address already in use", (), AddressConflict(True, is_with_leaving=True)),
        (b"address already in use", (9001,), AddressConflict(True, is_with_leaving=True)),
        (b"", (9001,), AddressConflict(is_with_leaving=True)),
        (b"", (9002,), NO_CONFLICT),
        (b"no such module", (9001,), NO_CONFLICT),
    ],
)
def test_a_process_of_another_watcher_that_is_about_to_go_may_hold_it(
    output: bytes, ports: tuple[int, ...], conflict: AddressConflict
) -> None:
    spec = WatcherSpec(name="web", cmd="server 9001")
    going = GoingPids((5,), lambda: (5, OLD))
    assert conflict_of(output, spec, going, kernel(ports)) == conflict
