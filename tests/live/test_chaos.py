"""Everything at once: four clients, fifty watchers, and somebody who kills at random.

What must be so whatever happens: every request is answered once, no process is forgotten or
collected by nobody, the numbers are those that are wanted as soon as there is peace, and the
account at the end is right: one reap for every spawn, nothing left (see `daemon.py`).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.live.daemon import Daemon, until
from tests.live.wire import Caller, NoReply

WATCHERS = 50
CLIENTS = 4

KINDS = [
    "cmd = sleep 1000\n",
    "cmd = sleep 1000\nwarmup_delay = 0.02\n",
    "cmd = sleep 0.3\n",
    "cmd = sh -c 'sleep 1000 & sleep 1000'\nstop_children = True\n",
    "cmd = sh -c 'trap \"\" TERM; sleep 1000 & wait; sleep 1000'\ngraceful_timeout = 0.2\n",
    "cmd = sleep 1000\nsingleton = True\n",
    "cmd = sleep 0.5\nrespawn = False\n",
    "cmd = sleep 1000\nmax_age = 1\nmax_age_variance = 1\nready = spawned\nsettle = 0\n",
    "cmd = /nowhere/x\nmax_retry = 3\n",
    "cmd = sh -c 'exit 7'\n",
]


class Client(threading.Thread):
    """Wishes at random, and counts what it is told."""

    def __init__(self, endpoint: str, seed: int, over: threading.Event) -> None:
        super().__init__()
        self.told: Counter[str] = Counter()
        self.trouble: list[str] = []
        self._dice = random.Random(seed)
        self._endpoint = endpoint
        self._over = over

    def run(self) -> None:
        """Wish until it is over, then wait for every reply."""
        open_requests: dict[str, str] = {}
        with Caller(self._endpoint) as caller:
            while not self._over.is_set():
                name, properties = self._wish()
                open_requests[caller.send(name, **properties)] = name
                while len(open_requests) > 40 or not caller.is_silent(0.003):
                    self._hear(caller, open_requests)
            try:
                while open_requests:
                    self._hear(caller, open_requests)
            except NoReply:
                self.trouble.append(f"no reply to {sorted(open_requests.values())}")

    def _hear(self, caller: Caller, open_requests: dict[str, str]) -> None:
        reply = caller.receive()
        if open_requests.pop(reply["id"], None) is None:
            self.trouble.append(f"nobody asked for {reply}")
        self.told[f"error {reply['errno']}" if reply["status"] == "error" else "ok"] += 1
        if reply["status"] == "error" and "unexpected" in reply["reason"]:
            self.trouble.append(str(reply))

    def _wish(self) -> tuple[str, dict[str, Any]]:
        dice = self._dice
        name = f"w{dice.randrange(WATCHERS)}"
        waiting = dice.random() < 0.3
        match dice.randrange(16):
            case 0 | 1:
                return "set", {"name": name, "numprocesses": dice.randrange(5), "waiting": waiting}
            case 2:
                return "incr", {"name": name, "waiting": waiting}
            case 3:
                return "decr", {"name": name, "waiting": waiting}
            case 4:
                return "stop", {"name": name, "waiting": waiting}
            case 5 | 6:
                return "start", {"name": name, "waiting": waiting}
            case 7:
                return "restart", {"name": name, "waiting": waiting}
            case 8:
                return "reload", {"name": name, "waiting": waiting}
            case 9:
                return "reload", {"name": name, "sequential": True, "waiting": waiting}
            case 10:
                return "kill", {"name": name, "waiting": waiting}
            case 11:
                return "signal", {"name": name, "signum": dice.choice(["TERM", "KILL", "CONT"])}
            case 12:
                return "set", {"name": name, "env": {"N": str(dice.random())}, "waiting": waiting}
            case 13:
                return "status", {}
            case 14:
                return dice.choice(["stats", "list"]), {"name": name}
            case _:
                return self._come_or_go(name)

    def _come_or_go(self, name: str) -> tuple[str, dict[str, Any]]:
        if self._dice.random() < 0.5:
            return "rm", {"name": name}
        return "add", {"name": name, "cmd": "sleep 1000", "start": True}


def kill_at_random(daemon: Daemon, dice: random.Random, seconds: float) -> int:
    """Kill children of the daemon, and theirs, for so long; return how many."""
    circusd = psutil.Process(daemon.process.pid)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        own = daemon.own_pids()
        children = circusd.children(recursive=dice.random() < 0.5)
        victims = [child for child in children if child.pid not in own]
        for victim in dice.sample(victims, min(len(victims), dice.choice([1, 1, 1, 30]))):
            try:
                os.kill(victim.pid, signal.SIGKILL)
                count += 1
            except ProcessLookupError:
                pass
        time.sleep(0.05)  # the rhythm of the killing, not a wait for anything
    return count


@pytest.mark.timeout(200)
def test_chaos(start: Callable[..., Daemon], request: pytest.FixtureRequest) -> None:
    seconds = request.config.getoption("--chaos-seconds", 15.0)
    seed = request.config.getoption("--chaos-seed", None) or random.randrange(1 << 30)
    print(f"--chaos-seed {seed}")
    text = "".join(f"[watcher:w{i}]\n{KINDS[i % len(KINDS)]}" for i in range(WATCHERS))
    daemon = start(text)
    over = threading.Event()
    clients = [Client(daemon.endpoint, seed + i, over) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        killed = kill_at_random(daemon, random.Random(seed), seconds)
    finally:
        over.set()
        for client in clients:
            client.join(60)
    told = sum((client.told for client in clients), Counter())
    print(f"{killed} killed, {sum(told.values())} replies: {dict(told)}")
    assert [one for client in clients for one in client.trouble] == []
    assert set(told) <= {"ok", "error 3", "error 4", "error 5"}
    # The others meant processes that had been killed meanwhile.
    assert told["ok"] > told.total() / 3
    peace(daemon)


def peace(daemon: Daemon) -> None:
    """Wait until the numbers are those that are wanted, in the daemon and in the kernel."""
    children = psutil.Process(daemon.process.pid).children
    odd_before: set[int] | None = None

    def numbers_match() -> bool:
        nonlocal odd_before
        details = daemon.ok("status", long=True)["details"]
        settled = all(
            detail["reason"] is not None
            or (detail["state"] in ("active", "stopped") and detail["running"] == detail["wanted"])
            for detail in details.values()
        )
        listed = {pid for name in details for pid in daemon.pids(name)}
        # The daemon may have a helper of its own, which carries no mark of the test.
        workers = {one.pid for one in children()} - set(daemon.own_pids())
        odd = listed ^ (workers & set(daemon.alive()))
        # What comes and goes between two looks is nothing; what is odd in both is.
        is_odd = odd_before is None or bool(odd & odd_before)
        odd_before = odd
        return settled and not is_odd

    until(numbers_match)
    for name, said in daemon.ok("status", long=True)["details"].items():
        if said["state"] == "stopped":
            assert said["running"] == 0, name
    for name in ("w0", "w1", "w4"):
        if name in daemon.ok("list")["watchers"]:
            daemon.ok("start", name=name, waiting=True)
            count = daemon.ok("get", name=name, keys=["numprocesses"])["options"]["numprocesses"]
            assert len(daemon.until_active(name, count)) == count
    until(lambda: not daemon.zombies())
