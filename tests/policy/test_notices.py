"""What a process says of itself, and the watchdog that waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.notices import Notice, read_notice
from cvec_circus_core.model.readiness import NOTIFY
from cvec_circus_core.policy.watcher.inputs import Noticed, Renew, Tick
from cvec_circus_core.policy.watcher.machine import wake_at
from tests.policy.table import (
    START,
    Watcher,
    active,
    asked,
    come,
    end,
    killed,
    signalled,
    spawns,
    told_reap,
)

SIGABRT = 6
PING = Notice(alive=True)


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        (b"READY=1", Notice(ready=True)),
        (b"READY=1\nSTATUS=all is well", Notice(ready=True, status="all is well")),
        (b"READY=0\n", Notice()),
        (b"STATUS=a=b", Notice(status="a=b")),
        (b"STATUS=", Notice(status="")),
        (b"STATUS=\x1b[2J\xff", Notice(status="?[2J\N{REPLACEMENT CHARACTER}")),
        (b"STOPPING=1", Notice(stopping=True)),
        (b"WATCHDOG=1", Notice(alive=True)),
        (b"WATCHDOG=trigger", Notice(troubled=True)),
        (b"WATCHDOG_USEC=20000000", Notice(interval=20.0)),
        (b"EXTEND_TIMEOUT_USEC=1500000", Notice(extension=1.5)),
        (b"WATCHDOG_USEC=-1", Notice()),
        (b"WATCHDOG_USEC=" + b"9" * 400, Notice()),
        (b"", Notice()),
        (b"nonsense\nX_OWN=1\nFDSTORE=1\nMAINPID=1", Notice()),
    ],
)
def test_messages(message: bytes, notice: Notice) -> None:
    assert read_notice(message) == notice


class TestReadiness:
    def test_is_what_a_reload_waits_for(self) -> None:
        web = active(ready=NOTIFY)
        web.hears(Renew())
        web.hears(come(2))
        assert web.hears(Noticed(102, Notice(status="warming up"))) == []
        assert web.state.slots.by_wid[2].status == "warming up"
        assert web.hears(Noticed(102, Notice(ready=True))) == asked(1)

    def test_may_take_longer_when_the_process_asks_for_it(self) -> None:
        web = active(ready=NOTIFY, ready_timeout=10.0)
        web.hears(Renew())
        web.hears(come(2))
        web.hears(Noticed(102, Notice(extension=60.0)), at=9.0)
        assert web.hears(Tick(), at=10.0) == []
        assert wake_at(web.state) == 69.0

    @pytest.mark.parametrize("pid", [101, 999])
    def test_of_the_gone_and_of_strangers_is_passed_over(self, pid: int) -> None:
        web = active()
        web.hears(end(1))
        assert web.hears(Noticed(pid, Notice(ready=True, troubled=True))) == []


def watched(**options: Any) -> Watcher:
    """Return a watcher of one process under a watchdog of five seconds."""
    return active(watchdog=5.0, **options)


class TestWatchdog:
    def test_ends_and_replaces_one_that_does_not_ping(self) -> None:
        web = watched()
        assert wake_at(web.state) == 5.0
        assert web.hears(Tick(), at=5.0) == [*signalled(1, SIGABRT), *spawns([2])]
        assert web.state.reason == "process 101 did not ping its watchdog in 5 s"
        assert web.hears(end(1, -SIGABRT), at=5.1) == [told_reap(1, -SIGABRT, ExitReason.WATCHDOG)]
        assert web.state.restarts == 1

    def test_kills_one_that_does_not_go(self) -> None:
        web = watched(graceful_timeout=2.0)
        web.hears(Tick(), at=5.0)
        assert web.hears(Tick(), at=7.0) == killed(1)
        assert web.hears(end(1, -9), at=7.0) == [told_reap(1, -9, ExitReason.WATCHDOG)]

    def test_lets_one_live_that_pings(self) -> None:
        web = watched()
        for at in (1.0, 4.0, 8.0, 12.0):
            assert web.hears(Noticed(101, PING), at=at) == []
            assert web.hears(Tick(), at=wake_at(web.state) or at) == []
        assert wake_at(web.state) == 17.0
        assert web.hears(Tick(), at=17.0) != []

    def test_keeps_one_alarm_however_often_it_is_pinged(self) -> None:
        web = watched()
        for ping in range(1000):
            web.hears(Noticed(101, PING), at=ping / 1000)
        assert len(web.state.alarms.heap) == 1

    def test_bites_at_once_when_the_process_asks_for_it(self) -> None:
        assert watched().hears(Noticed(101, Notice(troubled=True)))[:2] == signalled(1, SIGABRT)

    def test_takes_the_process_at_its_own_pace(self) -> None:
        web = watched()
        web.hears(Noticed(101, Notice(interval=1.0)), at=0.5)
        assert wake_at(web.state) == 1.5

    def test_waits_for_the_readiness_first(self) -> None:
        web = Watcher(watchdog=5.0, ready=NOTIFY)
        web.hears(START)
        web.hears(come(1))
        assert web.hears(Tick(), at=5.0) == []
        web.hears(Noticed(101, Notice(ready=True)), at=20.0)
        assert wake_at(web.state) == 25.0

    def test_does_not_bite_one_that_is_asked_to_go(self) -> None:
        web = watched()
        web.hears(Renew(), at=1.0)
        web.hears(come(2), at=1.0)
        assert web.hears(Noticed(101, Notice(troubled=True)), at=1.0) == []
        assert web.hears(Tick(), at=5.0) == []

    def test_is_off_where_nobody_asked_for_it(self) -> None:
        web = active()
        web.hears(Noticed(101, PING))
        assert wake_at(web.state) is None

    def test_ends_for_good_where_respawn_is_off(self) -> None:
        web = watched(respawn=False)
        web.hears(Tick(), at=5.0)
        web.hears(end(1, -SIGABRT), at=5.0)
        assert web.state.status.value == "stopped"
