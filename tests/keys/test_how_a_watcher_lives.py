"""Keys that no process can see: when it starts, how often, how it is asked to go.

All watchers are started by one daemon, in the order of their priority; each test asks after its
own.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

import pytest

from tests.keys.house import House
from tests.live.daemon import until

WATCHERS = """
[watcher:third]
cmd = sleep 1000
priority = 97
[watcher:first]
cmd = sleep 1000
priority = 99
[watcher:second]
cmd = sleep 1000
priority = 98

[watcher:singleton]
cmd = sleep 1000
singleton = yes

[watcher:autostart]
cmd = sleep 1000
autostart = no

[watcher:respawn]
cmd = sh -c 'echo > HOUSE/respawn.$WID; exit 3'
respawn = no
numprocesses = 2

[watcher:warmup_delay]
cmd = sleep 1000
numprocesses = 3
warmup_delay = 0.3

[watcher:max_retry]
cmd = /no/such/program
max_retry = 3
retry_pause = 0.01

[watcher:on_failure]
cmd = false
on_failure = stop
retry_pause = 0.01

[watcher:retry_pause]
cmd = false
retry_pause = 60
retry_pause_max = 60
flapping.active = no

[watcher:retry_pause_max]
cmd = false
retry_pause = 0.01
retry_pause_max = 0.05
flapping.active = no

[watcher:stable_after]
cmd = sh -c 'sleep 0.2; exit 1'
ready = spawned
stable_after = 0.1
retry_pause = 60
flapping.active = no

[watcher:quick_death]
cmd = sleep 0.05
quick_death = 0.001
retry_pause = 60
retry_pause_max = 60
flapping.active = no

[watcher:max_age]
cmd = sleep 1000
max_age = 1
max_age_variance = 0
ready = spawned
settle = 0

[watcher:max_age_variance]
cmd = sleep 1000
numprocesses = 10
max_age = 0.5
max_age_variance = 5
ready = spawned
settle = 0

[watcher:stop_signal]
cmd = sh -c 'trap "echo > HOUSE/heard; exit" USR1; echo > HOUSE/on; while sleep 0.1; do :; done'
stop_signal = usr1

[watcher:graceful_timeout]
cmd = sh -c 'trap "" TERM; echo > HOUSE/deaf; while :; do sleep 0.05; done'
graceful_timeout = 0.7

[watcher:settle]
cmd = sleep 1000
ready = spawned
settle = 1.5

[watcher:send_hup]
cmd = sh -c 'trap "echo hup > HOUSE/hup" HUP; echo > HOUSE/hears; while :; do sleep 0.05; done'
send_hup = yes
"""

Build = Callable[..., House]

_RUNNING = re.compile(r"^(\S+ \S+) .*running (\S+) process \[pid (\d+)\]", re.MULTILINE)


@pytest.fixture(scope="module")
def house(build: Build) -> House:
    """Start the daemon of all watchers."""
    circus = "pidfile = HOUSE/pid\ncheck_delay = 0.5\n"
    return build(WATCHERS, circus)


def spawned(house: House) -> list[str]:
    """Return the watchers of all spawns so far, in order."""
    return [name for _, name, _ in _RUNNING.findall(house.text())]


def test_a_higher_priority_starts_first(house: House) -> None:
    until(lambda: "third" in spawned(house))
    assert spawned(house)[:3] == ["first", "second", "third"]


def test_a_singleton_stays_alone(house: House) -> None:
    house.until_active("singleton", 1)
    assert house.ok("incr", name="singleton", waiting=True)["numprocesses"] == 1
    assert len(house.pids("singleton")) == 1


def test_without_autostart_only_a_start_starts(house: House) -> None:
    until(lambda: "third" in spawned(house))
    assert house.status("autostart")["status"] == "stopped"
    house.ok("start", name="autostart", waiting=True)
    house.until_active("autostart", 1)


def test_without_respawn_a_watcher_ends_with_its_processes(house: House) -> None:
    until(lambda: house.status("respawn")["status"] == "stopped")
    until(lambda: (house.folder / "respawn.2").exists())
    assert spawned(house).count("respawn") == 2


def test_a_warmup_delay_lies_between_two_spawns(house: House) -> None:
    house.until_active("warmup_delay", 3)
    begun = time.monotonic()
    house.ok("restart", name="warmup_delay", waiting=True)
    house.until_active("warmup_delay", 3)
    assert 0.6 <= time.monotonic() - begun < 20


def test_the_daemons_warmup_delay_lies_between_two_watchers(build: Build) -> None:
    watchers = "".join(f"[watcher:{name}]\ncmd = sleep 1000\n" for name in "abcd")
    house = build(watchers, "warmup_delay = 0.3\n")
    house.until_active("d", 1)
    house.ok("stop", waiting=True)
    begun = time.monotonic()
    house.ok("start", waiting=True)
    assert 0.9 <= time.monotonic() - begun < 20


def test_after_so_many_tries_a_watcher_is_stopped(house: House) -> None:
    until(lambda: house.status("max_retry")["status"] == "stopped")
    assert "(3 tries)" in house.status("max_retry")["reason"]


def test_after_so_many_deaths_a_watcher_is_stopped_where_that_is_wanted(house: House) -> None:
    until(lambda: house.status("on_failure")["status"] == "stopped")
    assert house.status("on_failure")["reason"] == "a process exited with 1 (5 times in a row)"


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("retry_pause", 1, 3),
        ("retry_pause_max", 10, 10**6),
        ("stable_after", 5, 10**6),
        ("quick_death", 10, 10**6),
    ],
)
def test_quick_deaths_are_answered_with_pauses(
    house: House, name: str, least: int, most: int
) -> None:
    until(lambda: house.status(name)["restarts"] >= least)
    assert house.status(name)["restarts"] <= most


def test_who_is_too_old_is_replaced(house: House) -> None:
    before = house.until_active("max_age", 1)
    until(lambda: not set(before) & set(house.pids("max_age")))


def test_a_variance_keeps_them_from_going_together(house: House) -> None:
    house.until_active("max_age_variance", 10)
    before = set(house.pids("max_age_variance"))
    until(lambda: 0 < len(before & set(house.pids("max_age_variance"))) < 10)


def test_the_stop_signal_is_heard(house: House) -> None:
    until(lambda: (house.folder / "on").exists())
    house.until_active("stop_signal", 1)
    house.ok("stop", name="stop_signal", waiting=True)
    until(lambda: (house.folder / "heard").exists())


def test_after_the_grace_comes_sigkill(house: House) -> None:
    house.ok("stop", name="graceful_timeout", waiting=True)
    (house.folder / "deaf").unlink(missing_ok=True)
    house.ok("start", name="graceful_timeout", waiting=True)
    until(lambda: (house.folder / "deaf").exists())
    begun = time.monotonic()
    house.ok("stop", name="graceful_timeout", waiting=True)
    assert 0.65 <= time.monotonic() - begun < 20


def test_a_reload_by_sighup_keeps_the_process(house: House) -> None:
    until(lambda: (house.folder / "hears").exists())
    before = house.until_active("send_hup", 1)
    house.ok("reload", name="send_hup", waiting=True)
    until(lambda: (house.folder / "hup").exists())
    assert house.pids("send_hup") == before


def test_a_new_process_settles_before_the_old_one_goes(house: House) -> None:
    before = house.until_active("settle", 1)
    begun = time.monotonic()
    house.ok("reload", name="settle", waiting=True)
    assert 1.5 <= time.monotonic() - begun < 20
    assert house.pids("settle") != before


def test_a_shutdown_timeout_ends_every_grace(build: Build) -> None:
    deaf = "sh -c 'trap \"\" TERM; echo > HOUSE/deaf; while :; do sleep 0.05; done'"
    house = build(f"[watcher:w]\ncmd = {deaf}\ngraceful_timeout = 600\n", "shutdown_timeout = 1\n")
    until(lambda: (house.folder / "deaf").exists())
    begun = time.monotonic()
    house.process.terminate()
    assert house.process.wait(30) == 0
    assert time.monotonic() - begun < 20


def test_a_death_is_noticed_at_once_whatever_check_delay_says(house: House) -> None:
    before = house.until_active("first", 1)
    os.kill(before[0], signal.SIGKILL)
    begun = time.monotonic()
    until(lambda: house.pids("first") not in ([], before))
    assert time.monotonic() - begun < 20
    assert house.ok("globaloptions")["options"]["check_delay"] == 0.5


def test_the_pid_stands_in_the_pidfile(house: House) -> None:
    assert (house.folder / "pid").read_text().strip() == str(house.process.pid)
