"""How much one caller may ask."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.access import Caller, LocalUser, Rights
from cvec_circus_core.requests.rate_limits import (
    ASKED_A_SECOND,
    LONGEST_OF_OTHERS,
    OPEN_OF_ONE,
    OPEN_REQUESTS,
    Admission,
    RateLimiter,
)
from cvec_circus_core.testing import FakeClock

ADMIN = Caller(LocalUser(0), "user 'root'", Rights(everything=True))
BOB = Caller(LocalUser(1001), "user 'bob'", Rights(reading=True))
EVE = Caller(LocalUser(1002), "user 'eve'", Rights())
ALL = [Admission.WELCOME, Admission.REFUSED, Admission.UNREAD]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(100.0)


@pytest.fixture
def bounds(clock: FakeClock) -> RateLimiter:
    return RateLimiter(clock)


def count(bounds: RateLimiter, caller: Caller, messages: int) -> list[int]:
    """Return how many of some messages are welcome, refused and not read."""
    words = [bounds.count(caller) for _ in range(messages)]
    assert words == sorted(words, key=ALL.index)
    return [words.count(one) for one in ALL]


def test_who_may_do_everything_may_ask_as_often_as_he_likes(bounds: RateLimiter) -> None:
    assert count(bounds, ADMIN, 10_000) == [10_000, 0, 0]


def test_others_are_told_and_then_not_even_read(bounds: RateLimiter) -> None:
    assert count(bounds, BOB, 1000) == [ASKED_A_SECOND, ASKED_A_SECOND, 1000 - 2 * ASKED_A_SECOND]
    assert str(bounds.refusal(BOB)) == (
        "user 'bob' asks more than 200 times a second; wait, and ask again"
    )


def test_one_user_takes_nothing_from_another(bounds: RateLimiter) -> None:
    count(bounds, EVE, 1000)
    assert count(bounds, BOB, 100) == [100, 0, 0]


def test_waiting_helps(bounds: RateLimiter, clock: FakeClock) -> None:
    count(bounds, BOB, 1000)
    clock.advance(0.5)
    assert count(bounds, BOB, ASKED_A_SECOND) == [ASKED_A_SECOND // 2, ASKED_A_SECOND // 2, 0]
    clock.advance(3600)
    assert count(bounds, BOB, 1000)[0] == ASKED_A_SECOND


def test_users_who_come_and_go_are_forgotten(bounds: RateLimiter) -> None:
    for number in range(30_000):
        bounds.count(Caller(LocalUser(number), f"user {number}", Rights()))
    assert len(bounds._accounts) <= 10_000


def test_a_large_request_is_for_those_who_may_do_everything(bounds: RateLimiter) -> None:
    assert bounds.oversize(ADMIN, 1 << 20) is None
    assert bounds.oversize(BOB, LONGEST_OF_OTHERS) is None
    assert str(bounds.oversize(BOB, 70_000)) == (
        "user 'bob' may send 65536 bytes in a request, and not 70000"
    )


def test_one_connection_does_not_take_all_places(bounds: RateLimiter) -> None:
    for _ in range(OPEN_OF_ONE):
        assert bounds.open(b"a") is None
    assert "2000 requests of this connection" in str(bounds.open(b"a"))
    assert bounds.open(b"b") is None
    bounds.close(b"a")
    assert bounds.open(b"a") is None


def test_all_together_do_not_take_more_than_there_are(bounds: RateLimiter) -> None:
    for number in range(OPEN_REQUESTS):
        assert bounds.open(b"%d" % number) is None
    assert "10000 requests are waiting already" in str(bounds.open(b"x"))
    for number in range(OPEN_REQUESTS):
        bounds.close(b"%d" % number)
    assert bounds.open(b"x") is None
    assert len(bounds._open) == 1
