"""A small world for the machine of a watcher: processes that start late, die early, or stay.

The world knows only effects. It keeps its own books of who lives, who was told of, and which
tickets are open, so that what the machine believes can be compared with what is so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from cvec_circus_core.model.events import ProcessReaped, ProcessSpawned
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.policy.watcher.effects import (
    AskHook,
    Effect,
    Emit,
    KillLeftovers,
    Listen,
    Settle,
    Signal,
    Spawn,
    Unlisten,
)
from cvec_circus_core.policy.watcher.inputs import (
    Exited,
    Found,
    HookAnswered,
    Input,
    SocketReady,
    Spawned,
    SpawnFailed,
    Swept,
    TicketId,
)

HANGUP, KILL = 1, 9


class Broken(AssertionError):
    """An invariant does not hold."""


def require(truth: object, sentence: str) -> None:
    """Raise `Broken` with a sentence unless something is true."""
    if not truth:
        raise Broken(sentence)


@dataclass(slots=True)
class Being:
    """One simulated process."""

    pid: int
    stubborn: bool = False
    """Ignores everything but SIGKILL."""
    parental: bool = False
    """Leaves descendants behind."""
    asked: bool = False
    killed: bool = False
    wid: int = 0


@dataclass(slots=True)
class Request:
    """An open ticket, and which processes have to be gone when it is kept."""

    doomed: frozenset[int]


@dataclass(slots=True)
class World:
    """Everything outside the machine."""

    chance: Random
    beings: dict[int, Being] = field(default_factory=dict)
    """Alive, whether the machine knows yet or not."""
    dying: dict[int, Being] = field(default_factory=dict)
    """Going to end, by a signal."""
    told: dict[int, Being] = field(default_factory=dict)
    """Between their `spawn` event and their `reap` event."""
    born: dict[int, Being] = field(default_factory=dict)
    """Spawned or ended, and the machine has not seen their `spawn` event out yet."""
    asked_for: deque[int] = field(default_factory=deque)
    """Slots with a `Spawn` effect under way."""
    left_behind: set[int] = field(default_factory=set)
    """Ended processes whose descendants nobody stops yet."""
    ear: bool = False
    """Whether somebody listens for a connection."""
    knocked: bool = False
    """Somebody has knocked, and the machine may not have heard it yet."""
    swept_soon: dict[int, None] = field(default_factory=dict)
    requests: dict[TicketId, Request] = field(default_factory=dict)
    questions: dict[int, AskHook] = field(default_factory=dict)
    """To hooks, by serial number; a hook that takes its time answers when nobody waits any more."""
    pids: int = 0
    spawned: int = 0
    reaped: int = 0
    settled: int = 0

    @property
    def population(self) -> int:
        """Processes alive or about to be."""
        return len(self.beings) + len(self.asked_for)

    def start_next(self, *, failing: bool, behaved: bool = False) -> Input:
        """Answer the oldest `Spawn` effect."""
        wid = self.asked_for.popleft()
        if failing:
            return SpawnFailed(wid, "no such file", self.chance.random() < 0.3)
        self.pids += 1
        chance = self.chance.random
        being = Being(self.pids, not behaved and chance() < 0.2, chance() < 0.2, wid=wid)
        self.beings[being.pid] = self.born[being.pid] = being
        return Spawned(wid, being.pid, chance())

    def find(self, generation: int) -> Input:
        """Let a process be found that an earlier daemon has started and told of."""
        self.pids += 1
        chance = self.chance.random
        being = Being(self.pids, chance() < 0.2, chance() < 0.2, wid=self.chance.randint(1, 8))
        self.beings[being.pid] = self.told[being.pid] = being
        self.spawned += 1
        started_at = self.chance.uniform(0.0, 1000.0)
        return Found(being.wid, being.pid, started_at, generation, chance() < 0.5)

    def lose_daemon(self) -> None:
        """Let nobody know any more what was asked for; what runs goes on."""
        self.asked_for.clear()
        self.requests.clear()
        self.questions.clear()
        self.left_behind.clear()
        self.swept_soon.clear()
        self.ear = self.knocked = False
        for being in self.beings.values():
            being.asked = being.killed = False

    def answer(self, *, allowed: bool) -> Input:
        """Let a hook answer."""
        question = self.questions.pop(self.chance.choice(tuple(self.questions)))
        return HookAnswered(question.serial, question.wid, allowed, "no")

    def end(self, being: Being) -> Input:
        """Let a process end."""
        del self.beings[being.pid]
        self.dying.pop(being.pid, None)
        if being.parental:
            self.left_behind.add(being.pid)
        code = self.chance.choice((0, 1, -9, None))
        return Exited(being.pid, code, being.parental)

    def sweep_one(self) -> Input:
        """Let the descendants of an ended process be gone."""
        pid = next(iter(self.swept_soon))
        del self.swept_soon[pid]
        return Swept(pid)

    def knock(self) -> Input:
        """Connect to one of the sockets; the ear is for one knock."""
        self.ear, self.knocked = False, True
        return SocketReady()

    def perform(self, effects: list[Effect]) -> None:
        """Carry out effects in order, and refuse those that make no sense."""
        knocked, self.knocked = self.knocked, False
        for effect in effects:
            match effect:
                case AskHook():
                    require(effect.serial not in self.questions, f"{effect} is asked twice")
                    self.questions[effect.serial] = effect
                case Spawn(wid):
                    require(wid not in self.asked_for, f"slot {wid} is asked for twice")
                    self.asked_for.append(wid)
                case Signal(pid, signum, _, asks_to_go):
                    self._signal(pid, signum, by_hand=not asks_to_go)
                case KillLeftovers(pid, signum, _):
                    self._sweep(pid, signum)
                case Listen():
                    require(not self.ear, "listens twice")
                    require(not self.population, "listens while somebody is there")
                    self.ear = True
                case Unlisten():
                    require(self.ear or knocked, "stops listening and did not listen")
                    self.ear = False
                case Emit(event):
                    self._hear(event)
                case Settle(ticket, outcome):
                    self._settle(ticket, outcome)
                case _:
                    assert_never(effect)

    def _signal(self, pid: int, signum: int, *, by_hand: bool) -> None:
        being = self.told.get(pid)
        require(being is not None, f"a signal for {pid}, which is not there")
        assert being is not None
        if signum == HANGUP:
            return
        require(not being.killed, f"{pid} was killed before")
        require(signum == KILL or not being.asked or by_hand, f"{pid} is asked to go twice")
        being.asked, being.killed = True, signum == KILL
        if pid in self.beings and (being.killed or not being.stubborn):
            self.dying[pid] = being

    def _sweep(self, pid: int, signum: int) -> None:
        again = pid not in self.left_behind
        require(signum == KILL or not again, f"{pid} is swept twice")
        if not again:
            self.left_behind.discard(pid)
            self.swept_soon[pid] = None

    def _hear(self, event: object) -> None:
        match event:
            case ProcessSpawned(pid=pid, wid=wid):
                being = self.born.pop(pid, None)
                require(being is not None and being.wid == wid, f"{pid} was told of before")
                assert being is not None
                self.told[pid] = being
                self.spawned += 1
            case ProcessReaped(pid=pid, reason=reason):
                being = self.told.pop(pid, None)
                require(being is not None, f"{pid} is reaped and was not there")
                assert being is not None
                self.reaped += 1
                self._judge(being, reason)

    def _judge(self, being: Being, reason: ExitReason) -> None:
        match reason:
            case ExitReason.EXITED | ExitReason.UNREADY:
                fair = not being.asked
            case ExitReason.KILLED:
                fair = being.killed
            case ExitReason.WATCHDOG:
                fair = being.asked
            case ExitReason.STOPPED | ExitReason.EXPIRED | ExitReason.RELOADED:
                fair = being.asked and not being.killed
            case _:
                assert_never(reason)
        require(fair, f"{being} is said to have {reason.value}")

    def _settle(self, ticket: TicketId, outcome: object) -> None:
        request = self.requests.pop(ticket, None)
        require(request is not None, f"ticket {ticket} is settled twice, or was never given")
        assert request is not None
        self.settled += 1
        if isinstance(outcome, Done):
            still = request.doomed.intersection(self.told)
            require(not still, f"ticket {ticket} is kept, and {sorted(still)} are still there")
            known = set(self.told)
            require(known.issuperset(outcome.started), f"{outcome} tells of ended processes")
            require(known.issuperset(outcome.kept), f"{outcome} keeps ended processes")
            require(known.isdisjoint(outcome.stopped), f"{outcome} has stopped living ones")
