"""Random histories of one watcher after another: ``python -m tests.policy.histories``.

Each life draws a spec, is pushed around for a while (wishes of all kinds, deaths, failing spawns,
late and early ticks, several inputs at once), and then is left alone until it comes to rest. The
seed tells the whole history.
"""

from __future__ import annotations

import argparse
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from cvec_circus_core.model import plain_form
from cvec_circus_core.model.amounts import ALL, NONE, Amount
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.kinds import UNEXPECTED
from cvec_circus_core.model.notices import Notice
from cvec_circus_core.model.readiness import AUTO, NOTIFY, SPAWNED, alive
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.watcher.inputs import (
    Change,
    Close,
    Forget,
    Found,
    Go,
    Hangup,
    Hasten,
    Input,
    Noticed,
    Ready,
    Remembered,
    Renew,
    Resize,
    Retire,
    SocketReady,
    Tick,
    TicketId,
    Wanted,
    Wish,
)
from cvec_circus_core.policy.watcher.machine import step, wake_at
from cvec_circus_core.policy.watcher.rollout import (
    NEW_BEFORE_OLD,
    OLD_BEFORE_NEW,
    ONE_BY_ONE,
    Rollout,
)
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.takeover import as_found, as_found_waiting, memory_of
from tests.policy.invariants import check_given_up, check_rest, check_step
from tests.policy.world import Broken, Request, World, require

ROLLOUTS = (
    NEW_BEFORE_OLD,
    ONE_BY_ONE,
    OLD_BEFORE_NEW,
    Rollout(Amount(1), NONE),
    Rollout(NONE, Amount(2)),
    Rollout(Amount(2), Amount(1)),
)
AMOUNTS = (NONE, Amount(1), Amount(2), Amount(30, percent=True), ALL)
TICKS_AT_ONE_MOMENT = 4
STEPS_TO_REST = 5000
FOUND_EARLY = 3
"""In so many steps at the beginning processes are found often; later they are found rarely."""


def random_hooks(chance: Random) -> dict[str, HookSpec]:
    """Draw who is asked; mostly nobody."""
    if chance.random() < 0.7:
        return {}
    names = ("before_start", "after_start", "before_spawn", "after_spawn", "before_stop")
    return {name: HookSpec("a.b") for name in names if chance.random() < 0.5}


def random_spec(chance: Random) -> WatcherSpec:
    """Draw a spec; the small numbers make things meet."""
    singleton = chance.random() < 0.15
    return WatcherSpec(
        name="web",
        cmd="web",
        numprocesses=chance.randint(0, 1) if singleton else chance.choice((0, 1, 1, 2, 3, 5, 20)),
        singleton=singleton,
        respawn=chance.choice((True, True, True, False, UNEXPECTED)),
        on_demand=chance.random() < 0.3,
        warmup_delay=chance.choice((0.0, 0.0, 0.0, 0.5, 2.0)),
        graceful_timeout=chance.choice((0.0, 2.0, 30.0)),
        stop_children=chance.random() < 0.3,
        max_retry=chance.choice((-1, 0, 1, 3, 5)),
        on_failure=chance.choice(("retry", "stop", "exit")),
        max_age=chance.choice((0.0, 0.0, 0.0, 4.0)),
        max_age_variance=chance.choice((0.0, 3.0)),
        stable_after=chance.choice((0.0, 1.0, 10.0)),
        retry_pause=chance.choice((0.1, 0.1, 0.0)),
        ready=chance.choice((SPAWNED, SPAWNED, alive(0.5), alive(3), NOTIFY, AUTO)),
        settle=chance.choice((0.0, 0.0, 2.0)),
        ready_timeout=chance.choice((1.0, 5.0, 30.0)),
        watchdog=chance.choice((0.0, 0.0, 0.0, 2.0)),
        rollout_surge=chance.choice(AMOUNTS[1:]),
        rollout_unavailable=chance.choice(AMOUNTS),
        hooks=random_hooks(chance),
    )


@dataclass(slots=True)
class Life:
    """One watcher from its first wish to its rest."""

    chance: Random
    recent: deque[str]
    seen: Counter[str]
    now: float = 1000.0
    tickets: int = 0
    most_slots: int = 0
    steps: int = 0
    world: World = field(init=False)
    state: WatcherState = field(init=False)

    def __post_init__(self) -> None:
        """Draw the spec."""
        self.world = World(self.chance)
        self.state = WatcherState(random_spec(self.chance))
        self.recent.clear()
        self.recent.append(repr(self.state.spec))

    def run(self, steps: int) -> None:
        """Be pushed around for some steps."""
        for _ in range(steps):
            if self.state.closed and self.chance.random() < 0.1:
                return
            size = self.chance.choice((1, 1, 1, 1, 2, 3, 6))
            self.say([self._something(alone=size == 1) for _ in range(size)])
            if self.chance.random() < 0.3:
                self._pass_time()
            if self.chance.random() < 0.02 and self.state.wanted is not Wanted.DETACHED:
                self._begin_anew()

    def _begin_anew(self) -> None:
        """Let the daemon die, and another one take over."""
        state, spec = self.state, self.state.spec
        found = [
            replace(plain_form.load(plain_form.dump(as_found(slot)), Found), pid=pid)
            for pid, slot in state.slots.by_pid.items()
        ]
        waiting = [as_found_waiting(slot) for slot in state.slots.waiting.values()]
        self.world.lose_daemon()
        self.state = WatcherState(spec)
        self.recent.append("      the daemon dies")
        self.say([memory_of(state), *found, *waiting])

    def say(self, batch: list[Input]) -> None:
        """Step, perform, and hold the books against each other."""
        self.steps += 1
        self.seen.update(type(said).__name__ for said in batch)
        self.recent.append(f"{self.now:.3f} {batch}")
        had_given_up = self.state.gave_up or isinstance(batch[0], Remembered)
        effects = step(self.state, batch, self.now)
        self.recent.append(f"      -> {effects}")
        self.world.perform(effects)
        self.most_slots = max(self.most_slots, len(self.state.slots.by_wid))
        check_step(self.state, self.world, effects, self.most_slots)
        if self.state.gave_up and not had_given_up:
            check_given_up(self.state, batch, effects)

    def _something(self, *, alone: bool) -> Input:
        world, chance = self.world, self.chance
        makers: list[tuple[int, Callable[[], Input]]] = [
            (3, Tick),
            (3, lambda: self._wish(alone=alone)),
        ]
        makers.append((20, world.knock) if world.ear else (1, SocketReady))
        if self.steps < FOUND_EARLY or chance.random() < 0.05:
            makers.append(
                (5, lambda: world.find(max(0, self.state.slots.generation + self._drift())))
            )
        if world.asked_for:
            makers.append((30, lambda: world.start_next(failing=chance.random() < 0.25)))
        if world.questions:
            makers.append((20, lambda: world.answer(allowed=chance.random() < 0.8)))
        if world.dying:
            makers.append((20, lambda: world.end(chance.choice(tuple(world.dying.values())))))
        if world.beings:
            makers.append((8, lambda: world.end(chance.choice(tuple(world.beings.values())))))
        if world.swept_soon:
            makers.append((6, world.sweep_one))
        return self._one_of(makers)

    def _drift(self) -> int:
        """Return how many generations a found process is ahead of, or behind, the present one."""
        return self.chance.choice((0, 0, 0, -1, 1, 2))

    def _one_of(self, makers: Sequence[tuple[int, Callable[[], Input]]]) -> Input:
        ((_, make),) = self.chance.choices(makers, [weight for weight, _ in makers])
        return make()

    def _ticket(self, doomed: frozenset[int] = frozenset()) -> TicketId | None:
        if self.chance.random() < 0.2:
            return None
        self.tickets += 1
        ticket = TicketId(self.tickets)
        self.world.requests[ticket] = Request(doomed)
        return ticket

    def _wish(self, *, alone: bool) -> Input:
        chance, told = self.chance, frozenset(self.world.told)
        up = self.state.wanted is Wanted.UP
        adrift = self.state.wanted is Wanted.DETACHED
        makers: tuple[tuple[int, Callable[[], Input]], ...] = (
            (25, lambda: Wish(Go.START, self._ticket())),
            (8, lambda: Wish(Go.STOP, self._ticket(told if alone and not adrift else frozenset()))),
            (8, lambda: Wish(Go.RESTART, self._ticket(told if alone else frozenset()))),
            (
                10,
                lambda: Renew(
                    chance.choice((None, *ROLLOUTS)),
                    self._ticket(told if alone and up else frozenset()),
                ),
            ),
            (10, lambda: Resize(chance.choice((0, 1, 1, 2, 4, 6)), self._ticket())),
            (6, self._change),
            (8, self._retire),
            # Beside other inputs it could come after what has settled the same ticket.
            (3 * alone, self._forget),
            (3, lambda: Hangup(self._ticket())),
            (8, lambda: Ready(self._somebody())),
            (8, lambda: Noticed(self._somebody(), self._notice())),
            (1, Hasten),
            (1, Close),
            (1, lambda: Wish(Go.LEAVE, self._ticket())),
            (1, lambda: Wish(Go.STOP, self._ticket(), closes=True)),
        )
        return self._one_of(makers)

    def _forget(self) -> Input:
        """Drop a ticket that is open, or one that was never handed out."""
        tickets = [ticket.ticket for ticket in self.state.tickets]
        number = self.chance.choice([*tickets, TicketId(self.tickets + 1)])
        self.world.requests.pop(number, None)
        return Forget(number)

    def _somebody(self) -> int:
        """Return a pid, mostly of a process that is there."""
        there = [*self.world.told, self.world.pids + 1]
        return self.chance.choice(there)

    def _notice(self) -> Notice:
        yes = self.chance.random
        return Notice(
            ready=yes() < 0.5,
            status="busy" if yes() < 0.5 else None,
            alive=yes() < 0.5,
            troubled=yes() < 0.1,
            interval=1.0 if yes() < 0.1 else None,
            extension=2.0 if yes() < 0.2 else None,
        )

    def _change(self) -> Input:
        fresh = random_spec(self.chance)
        names: tuple[str, ...] = (
            "numprocesses",
            "singleton",
            "respawn",
            "warmup_delay",
            "max_retry",
            "max_age",
        )
        names += ("on_demand", "ready", "ready_timeout", "hooks", "watchdog", "rollout_surge")
        keys = tuple(name for name in names if self.chance.random() < 0.4)
        if "singleton" in keys and "numprocesses" not in keys:
            keys = (*keys, "numprocesses")
        wanted = {key: getattr(fresh, key) for key in keys}
        if self.state.spec.singleton and "singleton" not in keys:
            wanted.pop("numprocesses", None)
        spec = replace(self.state.spec, **wanted)
        return Change(spec, keys, self._ticket(), renew=self.chance.random() < 0.4)

    def _retire(self) -> Input:
        told = tuple(self.world.told)
        pids = tuple(pid for pid in told if self.chance.random() < 0.5)
        grace = self.chance.choice((None, None, 0.0, 5.0))
        signum = self.chance.choice((None, None, 2))
        return Retire(pids, signum, grace, self._ticket(frozenset(pids)))

    def _pass_time(self) -> None:
        at = wake_at(self.state)
        if at is None or self.chance.random() < 0.3:
            self.now += self.chance.choice((0.0, 0.01, 0.3, 1.5, 20.0))
            return
        late = self.chance.choice((0.0, 0.0, 0.0, 0.7))
        self.now = max(self.now, at) + late
        for _ in range(TICKS_AT_ONE_MOMENT):
            self.say([Tick()])
            at = wake_at(self.state)
            if at is None or at > self.now:
                return
            require(at == self.now, f"wants to be woken in the past, at {at}")
        raise Broken(f"spins: wants to be woken at {at}, which is now")

    def rest(self) -> None:
        """Let everything that is under way come to its end, and nothing new begin."""
        state, world = self.state, self.world
        self._calm()
        for _ in range(STEPS_TO_REST):
            if state.spec.max_age or state.spec.watchdog:
                # A rollout that failed has taken the older options back.
                self._calm()
            elif world.questions:
                self.say([world.answer(allowed=True)])
            elif world.asked_for:
                self.say([world.start_next(failing=False, behaved=True)])
            elif world.dying:
                self.say([world.end(next(iter(world.dying.values())))])
            elif world.swept_soon:
                self.say([world.sweep_one()])
            elif wake_at(state) is not None:
                self._pass_time()
            else:
                check_rest(state, world)
                return
        raise Broken("does not come to rest")

    def _calm(self) -> None:
        calm = replace(self.state.spec, max_age=0.0, max_retry=-1, on_failure="retry", watchdog=0.0)
        self.say([Change(calm, ("max_age",))])


@dataclass(slots=True)
class Tale:
    """What a run of many lives amounted to."""

    steps: int = 0
    lives: int = 0
    spawned: int = 0
    reaped: int = 0
    settled: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """The closing line."""
        return (
            f"{self.steps} steps, {self.lives} watchers: {self.spawned} spawned, "
            f"{self.reaped} reaped, {self.settled} tickets settled, no invariant broken"
        )


def tell(steps: int, seed: int) -> Tale:
    """Live through at least so many steps. Raises `Broken`, with what led there."""
    chance, tale = Random(seed), Tale()
    recent: deque[str] = deque(maxlen=60)
    try:
        while tale.steps < steps:
            life = Life(chance, recent, tale.seen)
            life.run(chance.choice((5, 30, 100, 300)))
            life.rest()
            tale.steps += life.steps
            tale.lives += 1
            tale.spawned += life.world.spawned
            tale.reaped += life.world.reaped
            tale.settled += life.world.settled
    except Exception as problem:
        story = "\n".join(recent)
        raise Broken(f"{problem!r}, seed {seed}, watcher {tale.lives}\n{story}") from problem
    return tale


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="random histories of the machine of a watcher")
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    print(f"seed {words.seed}: {tell(words.steps, words.seed)}")


if __name__ == "__main__":
    main()
