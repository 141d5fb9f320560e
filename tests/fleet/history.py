"""What befalls a fleet, and a checker of its history: never two holders of a slot, and never none
for long.

``python -m tests.fleet.history --runs 20``: three machines as network namespaces with addresses of
their own (loopback addresses where those may not be made; their links can not be cut), three real
etcd servers, three real daemons. Each run goes through all cases on one fleet. Processes of a slot
take a lock besides, so that two at once are seen without any clock; what the fleet may be without
a holder is the lease, three seconds, and the start of a process.
"""

from __future__ import annotations

import argparse
import base64
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet.fleets import LEASE
from tests.fleet.machines import NAMES, QUOTA, SLOTS, Machines, machines
from tests.live.daemon import LIMIT, until

SLACK = 3.0
"""Seconds beside the lease and the start of a process."""


@dataclass
class Outcome:
    """What a case has shown."""

    case: str
    recovery: float | None = None
    """Seconds from the fault until all slots that it hit had a holder again."""
    complaints: list[str] = field(default_factory=list)


class Cases:
    """What befalls one fleet."""

    def __init__(self, fleet: Machines, limit: float) -> None:
        self.fleet = fleet
        self.limit = limit
        self.release = 1
        self._recovery: float | None = None
        self._complaints: list[str] = []

    def run(self, case: str) -> Outcome:
        """Let something happen, wait until all is well again, and check what was seen."""
        self._recovery, self._complaints = None, []
        self.fleet.settle()
        getattr(self, case)()
        self.fleet.settle()
        return Outcome(case, self._recovery, self._complaints + self._violations())

    def _violations(self) -> list[str]:
        found, self.fleet.observer.violations = self.fleet.observer.violations, []
        return found

    def kill_a_host(self) -> None:
        """Everything of a host ends at once, its etcd too; later it comes back."""
        name = self._holder()
        with self._lost(name):
            self.fleet.machines[name].kill()
        self.fleet.machines[name].start()

    def cut_both_ways(self) -> None:
        """Nothing goes from a host to the others, or from them to it."""
        self._isolate(self.fleet.network.cut)

    def cut_what_it_sends(self) -> None:
        """A host hears the others, and they do not hear it."""
        self._isolate(self.fleet.network.mute)

    def cut_what_it_hears(self) -> None:
        """The others hear a host, and it does not hear them."""
        self._isolate(self.fleet.network.deafen)

    def pause_a_host(self) -> None:
        """Its daemon and its agent stand still for longer than the lease."""
        name = self._holder()
        with self._lost(name):
            paused = self.fleet.machines[name].pause()
        for process in paused:
            process.resume()

    def kill_the_leader_of_etcd(self) -> None:
        """etcd has to elect another one; nothing that runs ends."""
        name = self.fleet.etcd_leader()
        with self._undisturbed(NAMES):
            self.fleet.machines[name].kill_etcd()
            until(lambda: self.fleet.etcd_leader() not in ("", name))
            self._outlast_the_lease()
        self.fleet.machines[name].start_etcd()
        until(lambda: bool(self.fleet.gateway(name, "maintenance/status")))

    def fill_the_quota_of_etcd(self) -> None:
        """etcd takes no writes until somebody makes room; nothing that runs ends."""
        blob = base64.b64encode(bytes(QUOTA // 8)).decode()
        ask = self.fleet.gateway
        leader = self.fleet.etcd_leader()
        with self._undisturbed(NAMES):
            key = base64.b64encode(b"/other").decode()

            def is_full() -> bool:
                reply = ask(leader, "kv/put", key=key, value=blob)
                return "space" in str(reply.get("error", ""))

            until(is_full, 2 * LIMIT)
            self._outlast_the_lease()
        self._make_room(key)
        name = self._holder()
        with self._lost(name):
            self.fleet.machines[name].host.kill()
        self.fleet.machines[name].start_daemon()

    def _make_room(self, key: str) -> None:
        """Do what an operator does with an etcd that is full."""
        ask, leader = self.fleet.gateway, self.fleet.etcd_leader()
        ask(leader, "kv/deleterange", key=key)
        revision = ask(leader, "kv/range", key=key)["header"]["revision"]
        ask(leader, "kv/compaction", revision=revision, physical=True)
        for name in NAMES:
            ask(name, "maintenance/defragment")
        for alarm in ask(leader, "maintenance/alarm", action="GET").get("alarms", ()):
            ask(leader, "maintenance/alarm", action="DEACTIVATE", **alarm)

    def step_the_clock(self) -> None:
        """The wall clock of a host jumps by days, there and back; nothing that runs ends."""
        name = self._holder()
        clock = self.fleet.machines[name].clock
        if "LD_PRELOAD" not in self.fleet.machines[name].environment:
            raise RuntimeError("libfaketime is missing: apt-get install faketime")
        with self._undisturbed(NAMES):
            for offset in ("+3d", "-5d", "+0"):
                clock.write_text(f"{offset}\n")
                self._outlast_the_lease()

    def roll_a_configuration(self) -> None:
        """All processes of the slots are replaced by those of another revision."""
        self.release += 1
        before = {slot: life.pid for slot, life in self.fleet.observer.holders().items()}
        begun = time.monotonic()
        self.fleet.apply(self.fleet.config(self.release))

        def are_replaced() -> bool:
            holders = self.fleet.observer.holders()
            return len(holders) == len(SLOTS) and all(
                life.pid != before.get(slot) for slot, life in holders.items()
            )

        until(are_replaced, 2 * LIMIT)
        self._note_recovery(begun)

    def apply_a_bad_configuration(self) -> None:
        """One with a mistake changes nothing; one whose program is not there is rolled back."""
        file = self.fleet.folder / "bad.conf"
        file.write_text("[watcher:first]\nfleet = one\nnumprocesses = x\ncmd = sleep 9\n")
        daemon = self.fleet.machines[NAMES[0]].host.daemon
        with self._undisturbed(NAMES):
            done = daemon.control("fleet", "apply", str(file))
            if done.returncode == 0 or f"{file}:3" not in done.stdout + done.stderr:
                self._complaints.append(f"a bad configuration is taken: {done}")
            self._outlast_the_lease()
        self.fleet.apply(self.fleet.config(self.release, program="/not/there"))
        until(lambda: not self.fleet.observer.holders(), 2 * LIMIT)
        begun = time.monotonic()
        daemon.control("fleet", "rollback")
        self._until_held()
        self._note_recovery(begun)

    def _isolate(self, cut: Callable[[str], None]) -> None:
        name = self._holder()
        web = self.fleet.machines[name].host.daemon.pids("web")
        with self._lost(name):
            cut(name)
        if web != self.fleet.machines[name].host.daemon.pids("web"):
            self._complaints.append("what is bound to no lease was stopped")
        self.fleet.network.mend(name)

    def _holder(self) -> str:
        """Return a host that holds slots."""
        return self.fleet.observer.holders()[SLOTS[0]].host

    @contextmanager
    def _lost(self, name: str) -> Iterator[None]:
        """Lose a host in the block, and wait until others hold its slots."""
        hit = set(self.fleet.slots_of(name))
        begun = time.monotonic()
        yield
        until(
            lambda: all(
                (life := self.fleet.observer.holders().get(slot)) is not None and life.host != name
                for slot in hit
            ),
            2 * LIMIT,
        )
        self._note_recovery(begun)

    @contextmanager
    def _undisturbed(self, hosts: Iterable[str]) -> Iterator[None]:
        """Complain where what runs at hosts ends in the block."""
        before = {host: self._pids(host) for host in hosts}
        yield
        after = {host: self._pids(host) for host in hosts}
        if before != after:
            self._complaints.append(f"ended though nothing was lost: {before} -> {after}")

    def _pids(self, host: str) -> set[int]:
        slots = {life.pid for life in self.fleet.slots_of(host).values()}
        return slots | set(self.fleet.machines[host].host.daemon.pids("web"))

    def _until_held(self) -> None:
        until(lambda: set(self.fleet.observer.holders()) == set(SLOTS), 2 * LIMIT)

    def _note_recovery(self, begun: float) -> None:
        self._recovery = time.monotonic() - begun
        if self._recovery > self.limit:
            self._complaints.append(f"recovered after {self._recovery:.1f} s")

    @staticmethod
    def _outlast_the_lease() -> None:
        end = time.monotonic() + LEASE + 1
        until(lambda: time.monotonic() > end)


CUTS = ("cut_both_ways", "cut_what_it_sends", "cut_what_it_hears")
ALL = (
    *("kill_a_host", *CUTS, "pause_a_host", "kill_the_leader_of_etcd", "fill_the_quota_of_etcd"),
    *("step_the_clock", "roll_a_configuration", "apply_a_bad_configuration"),
)


def start_seconds() -> float:
    """Return how long a process of a slot takes to begin."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-S", "-c", "import json, socket"], check=True)
    return time.monotonic() - begun


def check(folder: Path, cases: Iterable[str], slack: float = SLACK) -> list[Outcome]:
    """Run cases on a fleet of their own, and return what they have shown."""
    limit = LEASE + slack + start_seconds()
    with machines(folder) as fleet:
        able = [case for case in cases if fleet.network.can_cut or case not in CUTS]
        runner = Cases(fleet, limit)
        return [runner.run(case) for case in able]


def main() -> int:
    """Run all cases some times, and return 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--cases", nargs="*", default=ALL, choices=ALL)
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    for number in range(1, options.runs + 1):
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            for outcome in check(Path(folder), options.cases):
                outcomes.append(outcome)
                recovery = f"{outcome.recovery:.1f} s" if outcome.recovery is not None else "-"
                print(f"run {number}: {outcome.case}: {recovery}", *outcome.complaints, flush=True)
    for case in options.cases:
        rows = [outcome for outcome in outcomes if outcome.case == case]
        slowest = max((row.recovery or 0.0 for row in rows), default=0.0)
        wrong = sum(bool(row.complaints) for row in rows)
        print(f"{case}: {len(rows)} runs, {wrong} wrong, slowest recovery {slowest:.1f} s")
    return int(not outcomes or any(outcome.complaints for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
