"""What processes say of themselves: by a notify socket, or by a line of their output."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

import pytest

from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.notices import Notice
from cvec_circus_core.model.readiness import NOTIFY, SPAWNED, logged
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.watcher.inputs import Input, Noticed, Ready
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.process_notices import WatcherNotices
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import FakeClock, FakeProcesses
from tests.runtime.memory import in_memory

PLAN = LaunchPlan(argv=("x",), env={"A": "b"})
LIMIT = 20.0

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="notify sockets")


def notices(**options: Any) -> tuple[WatcherNotices, list[Input]]:
    """Return the notices of one watcher, and what they post."""
    spec = WatcherSpec(name="web", cmd="x", **options)
    loop, clock, posted = asyncio.get_running_loop(), FakeClock(), list[Input]()
    world = World(
        loop,
        clock,
        FakeProcesses(clock),
        FairQueue(clock, loop, lambda: 1),
        ManagedSockets(FakeSocketOwner()),
        lambda event: None,
    )
    return WatcherNotices(world, posted.append, lambda: spec), posted


@in_memory
async def test_who_says_nothing_needs_nothing() -> None:
    watcher, posted = notices(ready=SPAWNED)
    equipment = watcher.equip(PLAN)
    equipment.started(7)
    watcher.on_output(7, "stdout", b"ready\n")
    assert equipment.plan is PLAN
    assert posted == []


@pytest.mark.parametrize(
    "pieces",
    [
        [b"now ready\n"],
        [b"now rea", b"dy", b"\nmore"],
        [b"other\nnow ready\nready\n"],
        [b"x" * 40_000 + b" ready\n"],
    ],
    ids=["at once", "in pieces", "among others", "behind much"],
)
@in_memory
async def test_a_line_makes_it_ready_once(pieces: list[bytes]) -> None:
    watcher, posted = notices(ready=logged("ready"))
    watcher.equip(PLAN).started(7)
    for piece in pieces:
        watcher.on_output(7, "stdout", piece)
    watcher.on_output(7, "stdout", b"ready\n")
    assert posted == [Ready(7)]


@in_memory
async def test_lines_of_two_channels_are_not_mixed() -> None:
    watcher, posted = notices(ready=logged("ready"))
    watcher.equip(PLAN).started(7)
    watcher.on_output(7, "stdout", b"rea")
    watcher.on_output(7, "stderr", b"dy\n")
    assert posted == []
    watcher.on_output(7, "stdout", b"dy\n")
    assert posted == [Ready(7)]


@in_memory
async def test_what_the_ended_and_the_unstarted_write_is_nothing() -> None:
    watcher, posted = notices(ready=logged("ready"))
    watcher.equip(PLAN).close()
    watcher.equip(PLAN).started(7)
    watcher.process_ended(7)
    watcher.on_output(7, "stdout", b"ready\n")
    watcher.on_output(8, "stdout", b"ready\n")
    assert posted == []


def say(address: str, text: bytes) -> None:
    """Say something on a notify socket, as this process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text, "\0" + address[1:])


@on_linux
@in_memory
async def test_a_notify_socket_is_heard_from_the_beginning_to_the_end() -> None:
    watcher, posted = notices(ready=NOTIFY, watchdog=2.5)
    equipment = watcher.equip(PLAN)
    env = equipment.plan.env
    assert (env["A"], env["WATCHDOG_USEC"]) == ("b", "2500000")
    say(env["NOTIFY_SOCKET"], b"STATUS=early")
    equipment.started(os.getpid())
    equipment.close()
    async with asyncio.timeout(LIMIT):
        while not posted:  # noqa: ASYNC110 - there is no event for a fact of somebody else
            await asyncio.sleep(0)
    say(env["NOTIFY_SOCKET"], b"READY=1")
    watcher.process_ended(os.getpid())
    assert posted == [
        Noticed(os.getpid(), Notice(status="early")),
        Noticed(os.getpid(), Notice(ready=True)),
    ]
    with pytest.raises(ConnectionRefusedError):
        say(env["NOTIFY_SOCKET"], b"READY=1")


@on_linux
@in_memory
async def test_who_may_speak_is_heard_on_a_socket_that_all_share() -> None:
    watcher, posted = notices()
    equipment = watcher.equip(PLAN)
    address = equipment.plan.env["NOTIFY_SOCKET"]
    assert watcher.equip(PLAN).plan is equipment.plan, "the environment is copied once"
    say(address, b"STATUS=early")
    for _ in range(3):
        await asyncio.sleep(0)
    watcher.equip(PLAN).started(4_194_303)
    equipment.started(os.getpid())
    say(address, b"READY=1")
    async with asyncio.timeout(LIMIT):
        while len(posted) < 2:  # noqa: ASYNC110 - there is no event for a fact of somebody else
            await asyncio.sleep(0)
    watcher.process_ended(os.getpid())
    say(address, b"STATUS=too late")
    for _ in range(3):
        await asyncio.sleep(0)
    assert posted == [
        Noticed(os.getpid(), Notice(status="early")),
        Noticed(os.getpid(), Notice(ready=True)),
    ]
    watcher._world.notify.close()
    with pytest.raises(ConnectionRefusedError):
        say(address, b"READY=1")


@in_memory
async def test_an_address_of_its_own_is_left_alone() -> None:
    watcher, _ = notices()
    plan = LaunchPlan(argv=("x",), env={"NOTIFY_SOCKET": "@other"})
    assert watcher.equip(plan).plan is plan


@on_linux
@in_memory
async def test_the_socket_of_a_process_that_did_not_start_is_closed() -> None:
    watcher, _ = notices(ready=NOTIFY)
    equipment = watcher.equip(PLAN)
    equipment.close()
    with pytest.raises(ConnectionRefusedError):
        say(equipment.plan.env["NOTIFY_SOCKET"], b"READY=1")
