"""Connections of those with limits, on real sockets: how many, and how much over each."""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from cvec_circus_core.control.peers import quotas
from cvec_circus_core.control.peers.quotas import (
    CONNECTIONS_OF_ONE,
    ConnectionQuotas,
    LimitedConnection,
)
from cvec_circus_core.model.text import LINES
from cvec_circus_core.system.net.peers import CAN_TELL, Meeting, Peers
from tests.programs import wait_until

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who calls")

KILOBYTE = 1 << 10
MEGABYTE = 1 << 20


class Scene:
    """Pairs of sockets: what a caller has, and what libzmq would have."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.holding = ConnectionQuotas(self.loop)
        self.peers = Peers()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open: list[socket.socket] = []

    def comes(
        self, name: str, stays: float = math.inf
    ) -> tuple[LimitedConnection | None, socket.socket, socket.socket]:
        """Let somebody connect."""
        theirs = socket.create_connection(self.listener.getsockname())
        ours, _ = self.listener.accept()
        self.open += [theirs, ours]
        ours.setblocking(False)
        meeting = self.peers.meet(ours.fileno())
        return self.holding.hold(name, meeting, stays=stays), theirs, ours

    async def sends(self, theirs: socket.socket, ours: socket.socket, size: int) -> bool:
        """Send and take so many bytes; tell whether that was possible."""
        theirs.setblocking(False)
        try:
            await asyncio.wait_for(
                asyncio.gather(
                    self.loop.sock_sendall(theirs, bytes(size)), self._takes(ours, size)
                ),
                20,
            )
        except ConnectionError:
            return False
        return True

    async def _takes(self, ours: socket.socket, size: int) -> None:
        while size > 0:
            found = await self.loop.sock_recv(ours, MEGABYTE)
            if not found:
                raise ConnectionError
            size -= len(found)

    def close(self) -> None:
        self.holding.close()
        self.peers.close()
        for one in (*self.open, self.listener):
            one.close()


def run(scene: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a test, and see that nothing is left of it."""

    async def play() -> None:
        made = Scene()
        try:
            await scene(made)
        finally:
            made.close()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(play())
    assert len(os.listdir("/proc/self/fd")) <= before


@contextmanager
def looks_often() -> Iterator[None]:
    usual = quotas.LOOK_OFTEN, quotas.LOOK_SELDOM
    quotas.LOOK_OFTEN, quotas.LOOK_SELDOM = 0.001, 0.01
    try:
        yield
    finally:
        quotas.LOOK_OFTEN, quotas.LOOK_SELDOM = usual


def test_one_user_has_so_many_connections_and_others_have_theirs() -> None:
    async def play(scene: Scene) -> None:
        mine = [scene.comes("mine") for _ in range(CONNECTIONS_OF_ONE)]
        assert all(held for held, _, _ in mine)
        held, theirs, _ = scene.comes("mine")
        assert held is None
        assert theirs.recv(1) == b""
        assert scene.comes("yours")[0] is not None
        assert mine[0][0] is not None
        mine[0][0].close()
        assert scene.comes("mine")[0] is not None

    run(play)


def test_a_connection_counts_as_his_who_shows_who_he_is() -> None:
    async def play(scene: Scene) -> None:
        for _ in range(CONNECTIONS_OF_ONE):
            scene.comes("key 'ann'")
        held, _, _ = scene.comes("192.0.2.1")
        assert held is not None
        assert not held.belongs_to("key 'ann'")
        held.end()
        bobs, _, _ = scene.comes("192.0.2.1")
        assert bobs is not None
        assert bobs.belongs_to("key 'bob'")

    run(play)


def test_who_sends_and_sends_without_a_whole_message_is_shut_out() -> None:
    async def play(scene: Scene) -> None:
        held, theirs, ours = scene.comes("rude")
        assert held is not None
        allowance = held.meeting.allowance
        sent = 0
        while await scene.sends(theirs, ours, 64 * KILOBYTE):
            sent += 64 * KILOBYTE
            await asyncio.sleep(0.001)
            assert sent < 4 * allowance
        assert sent > allowance / 2

    with looks_often():
        run(play)


def test_who_is_heard_now_and_then_may_go_on_for_ever() -> None:
    async def play(scene: Scene) -> None:
        held, theirs, ours = scene.comes("polite")
        assert held is not None
        for _ in range(100):
            assert await scene.sends(theirs, ours, 64 * KILOBYTE)
            held.heard = True
            await asyncio.sleep(0.002)
        assert 3 * held.meeting.allowance < 100 * 64 * KILOBYTE

    with looks_often():
        run(play)


def test_without_such_callers_there_are_no_looks() -> None:
    async def play(scene: Scene) -> None:
        held, _, _ = scene.comes("mine")
        assert held is not None
        assert scene.holding._seldom is not None
        held.close()
        await asyncio.to_thread(wait_until, lambda: scene.holding._seldom is None)
        assert scene.holding._often is None

    with looks_often():
        run(play)


def test_strangers_do_not_stay() -> None:
    async def play(scene: Scene) -> None:
        held, theirs, _ = scene.comes("a stranger", stays=0.05)
        friend, _, _ = scene.comes("a friend")
        assert held is not None
        assert friend is not None
        theirs.settimeout(20)
        assert await asyncio.to_thread(theirs.recv, 1) == b""
        assert friend.meeting.is_held

    with looks_often():
        run(play)


def test_what_is_not_there_is_not_held() -> None:
    async def play(scene: Scene) -> None:
        assert scene.holding.hold("gone", scene.peers.meet(10_000)) is None
        assert not Meeting(None, scene.peers.meet(10_000).caller).is_readable()

    run(play)


def test_a_caller_who_connects_too_often_again_and_again_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(scene: Scene) -> None:
        for _ in range(2 * LINES):
            sockets = [scene.comes("eve") for _ in range(CONNECTIONS_OF_ONE + 1)]
            assert sockets[-1][0] is None
            for connection, theirs, ours in sockets:
                if connection is not None:
                    connection.close()
                theirs.close()
                ours.close()

    with caplog.at_level("WARNING"):
        run(play)
    assert len(caplog.messages) == LINES + 1
    assert caplog.messages[-1].endswith("more is not told for a while")
