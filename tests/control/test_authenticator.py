"""Doors on real sockets: what it costs to know a caller, and who is whose."""

from __future__ import annotations

import asyncio
import os
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import zmq

from cvec_circus_core.control.peers.authenticator import (
    PeerAuthenticator,
    ReadOnlyPeerAuthenticator,
)
from cvec_circus_core.control.peers.zap import ZapHandler
from cvec_circus_core.control.socket_reader import SocketReader
from cvec_circus_core.model.access import Anybody, Caller, LocalUser, PeerIdentity, Rights
from cvec_circus_core.system.net.peers import CAN_TELL, Peers

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who calls")

LIMIT = 20e-6
"""Seconds that it may take to know a caller who is known."""


class House:
    """One door in front of a ROUTER or an XPUB, and who has come through it."""

    def __init__(self, readers: Callable[[PeerIdentity], bool] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.context: zmq.Context[Any] = zmq.Context()
        self.peers = Peers()
        self.doorman = ZapHandler(self.context, self.loop)
        self.turned_away: list[Caller] = []
        self.reads = readers or (lambda caller: True)
        kind = PeerAuthenticator if readers is None else ReadOnlyPeerAuthenticator
        self.door = kind("house", self.peers, self.authorize, self.loop, self.turned_away.append)
        self.doorman.watch(self.door)
        self.socket: zmq.Socket[Any] = self.context.socket(
            zmq.ROUTER if readers is None else zmq.XPUB
        )
        self.socket.linger = 0
        self.door.guard(self.socket)
        self.arrived: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.drain = SocketReader(self.socket, self.loop, self.arrived.put_nowait, copy=False)

    def authorize(self, caller: PeerIdentity) -> Caller:
        return Caller(caller, "somebody", Rights(reading=self.reads(caller)))

    def client(self, kind: int, endpoint: str) -> zmq.Socket[Any]:
        one = zmq.Context.instance().socket(kind)
        one.linger = 0
        one.connect(endpoint)
        return one

    async def next(self) -> list[Any]:
        return await asyncio.wait_for(self.arrived.get(), 20)

    def close(self) -> None:
        self.drain.close()
        self.door.close()
        self.socket.close()
        self.doorman.close()
        self.peers.close()
        self.context.destroy(linger=0)

    async def __aenter__(self) -> House:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def endpoints(house: House, folder: Any) -> list[str]:
    """Bind on every transport."""
    bound = []
    for place in ("tcp://127.0.0.1:*", f"ipc://{folder}/socket"):
        house.socket.bind(place)
        bound.append(house.socket.getsockopt_string(zmq.LAST_ENDPOINT))
    return bound


def test_everybody_is_told_apart_on_every_transport(tmp_path: Any) -> None:
    async def run() -> None:
        async with House() as house:
            tcp, ipc = endpoints(house, tmp_path)
            house.socket.bind("inproc://inside")
            inside = house.context.socket(zmq.DEALER)
            inside.linger = 0
            inside.connect("inproc://inside")
            found = []
            for client in (house.client(zmq.DEALER, tcp), house.client(zmq.DEALER, ipc), inside):
                client.send(b"hello")
                found.append(house.door.caller_of((await house.next())[-1]).identity)
                client.close()
            me = os.getuid()
            assert found == [
                LocalUser(me),
                LocalUser(me, os.getpid()),
                Anybody("inside the daemon"),
            ]

    asyncio.run(run())


def test_a_known_caller_costs_microseconds(tmp_path: Any) -> None:
    async def run() -> None:
        async with House() as house:
            for endpoint in endpoints(house, tmp_path):
                client = house.client(zmq.DEALER, endpoint)
                client.send(b"hello")
                frame = (await house.next())[-1]
                know = partial(house.door.caller_of, frame)
                know()
                each = min(timeit.repeat(know, number=2000, repeat=7)) / 2000
                print(f"{endpoint}: {each * 1e6:.2f} microseconds to know who calls")
                client.close()
                assert each < LIMIT

    asyncio.run(run())


@pytest.mark.parametrize("reads", [True, False])
def test_only_readers_subscribe(tmp_path: Any, reads: bool) -> None:
    async def run() -> None:
        async with House(readers=lambda caller: reads) as house:
            for number, endpoint in enumerate(endpoints(house, tmp_path)):
                # Topics of their own: what somebody else has subscribed to is not told again.
                topic = b"event %d" % number
                client = house.client(zmq.SUB, endpoint)
                client.subscribe(topic)
                if reads:
                    while [one.bytes for one in await house.next()] != [b"\x01" + topic]:
                        pass  # The one before has left.
                    house.socket.send(topic)
                    assert await asyncio.to_thread(client.poll, 20_000)
                else:
                    count = len(house.turned_away) + 3
                    while len(house.turned_away) < count:
                        await asyncio.sleep(0)
                        house.socket.send(topic)
                    assert not client.poll(0)
                client.close()

    asyncio.run(run())


def test_who_may_read_no_more_is_turned_away(tmp_path: Any) -> None:
    async def run() -> None:
        allowed = [True]
        async with House(readers=lambda caller: allowed[0]) as house:
            [tcp, _] = endpoints(house, tmp_path)
            client = house.client(zmq.SUB, tcp)
            client.subscribe(b"")
            assert [one.bytes for one in await house.next()] == [b"\x01"]
            allowed[0] = False
            house.door.renew()
            assert len(house.turned_away) == 1
            assert [one.bytes for one in await house.next()] == [b"\x00"]
            client.close()

    asyncio.run(run())
