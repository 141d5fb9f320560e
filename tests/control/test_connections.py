"""Descriptors that are used again: a message is never taken for somebody else's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.control.peers.connections import Connections
from cvec_circus_core.control.peers.socket_monitor import News
from cvec_circus_core.model.access import LocalUser, PeerIdentity, Stranger
from cvec_circus_core.system.net.peers import Meeting

EVIL, GOOD = LocalUser(1001), LocalUser(0)
FD = 9


class World:
    """A socket whose connections come and go, and a kernel that knows who is there now."""

    def __init__(self) -> None:
        self.unread: list[News] = []
        self.there: dict[int, PeerIdentity] = {}
        self.met: list[PeerIdentity] = []
        self.meanwhile: list[Callable[[], None]] = []
        """What happens while the kernel is asked, one at each question."""
        self.connections = Connections(self.read, self, self.meets)

    def read(self) -> list[News]:
        told, self.unread = self.unread, []
        return told

    def meet(self, fd: int) -> Meeting:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return Meeting(None, self.there.get(fd, Stranger("nobody is there")))

    def meets(self, identity: PeerIdentity, meeting: Meeting) -> None:
        self.met.append(identity)

    def comes(self, identity: PeerIdentity, fd: int = FD) -> None:
        self.there[fd] = identity
        self.unread.append(News(True, fd))

    def goes(self, fd: int = FD) -> None:
        self.there.pop(fd, None)
        self.unread.append(News(False, fd))

    def shakes_hands(self) -> int:
        return self.connections.next_number()

    def sender(self, handshake: int, fd: int = FD) -> PeerIdentity:
        return self.connections.identity(fd, handshake)


@pytest.fixture
def world() -> World:
    return World()


def test_a_message_is_from_whom_the_kernel_told(world: World) -> None:
    world.comes(EVIL)
    handshake = world.shakes_hands()
    assert world.sender(handshake) == EVIL
    assert world.met == [EVIL]


def test_a_message_stays_its_senders_after_he_has_gone(world: World) -> None:
    world.comes(EVIL)
    handshake = world.shakes_hands()
    world.goes()
    world.connections.look()
    assert world.sender(handshake) == EVIL


def test_the_next_on_a_descriptor_gets_no_message_of_the_last(world: World) -> None:
    world.comes(EVIL)
    evil = world.shakes_hands()
    world.goes()
    world.comes(GOOD)
    good = world.shakes_hands()
    assert (world.sender(evil), world.sender(good)) == (EVIL, GOOD)


def test_who_goes_before_anybody_looked_is_a_stranger(world: World) -> None:
    world.comes(EVIL)
    world.goes()
    world.comes(GOOD)
    good = world.shakes_hands()
    assert world.sender(good) == GOOD
    assert world.met == [GOOD]


def test_a_descriptor_that_changes_while_the_kernel_is_asked_is_not_believed(world: World) -> None:
    def change() -> None:
        world.goes()
        world.comes(GOOD)

    world.comes(EVIL)
    world.meanwhile = [change]
    evil = world.shakes_hands()
    assert world.connections.identity(FD, evil) == GOOD, "who came meanwhile is met after that"
    assert world.met == [GOOD]
    assert isinstance(world.sender(0), Stranger)


def test_a_connection_that_closes_while_the_kernel_is_asked_is_a_strangers(world: World) -> None:
    world.comes(EVIL)
    world.meanwhile = [world.goes]
    assert isinstance(world.sender(world.shakes_hands()), Stranger)
    assert world.met == []


def test_many_come_at_once_and_each_is_met_once(world: World) -> None:
    for fd in range(100):
        world.comes(LocalUser(fd), fd)
    handshake = world.shakes_hands()
    assert [world.sender(handshake, fd) for fd in range(100)] == [LocalUser(n) for n in range(100)]
    assert len(world.met) == 100


@pytest.mark.parametrize("rounds", [2, 3, 10])
def test_a_message_from_long_ago_is_a_strangers(world: World, rounds: int) -> None:
    world.comes(EVIL)
    evil = world.shakes_hands()
    for _ in range(rounds):
        world.goes()
        world.comes(GOOD)
        world.connections.look()
    assert isinstance(world.sender(evil), Stranger)


def test_all_that_are_there_are_met_again(world: World) -> None:
    world.comes(GOOD, 1)
    world.comes(EVIL, 2)
    world.shakes_hands()
    world.goes(1)
    world.met.clear()
    world.connections.meet_again(world.meets)
    assert world.met == [EVIL]


def test_nobody_innocent_is_met_in_anothers_place(world: World) -> None:
    world.comes(EVIL)
    world.shakes_hands()
    world.met.clear()

    def change() -> None:
        world.goes()
        world.comes(GOOD)

    world.meanwhile = [change]
    world.connections.meet_again(world.meets)
    assert world.met == [GOOD], "as who has come, not in the place of who was there"
