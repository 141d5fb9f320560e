"""Random histories of all watchers together, and what may never be broken.

A history is a list of pairs: an act, and a number that chooses its details. So hypothesis can make
it shorter where it fails. After each step the books are held against each other; at the end
everything that is under way is answered, and nothing may be left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum

from cvec_circus_core.model.errors import CircusError, Conflict, GaveUp, Superseded
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field, replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.arbiter import machine
from cvec_circus_core.policy.arbiter.advance import KILLED_WITHIN
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    ArbiterEffect,
    Ask,
    AskId,
    AwaitHooks,
    ChangeWatcher,
    CloseWatcher,
    ForgetWatcher,
    HastenWatcher,
    ReloadWatcher,
    SendWish,
)
from cvec_circus_core.policy.arbiter.inputs import (
    Added,
    Answered,
    ArbiterInput,
    Became,
    ConfigRead,
    Quit,
    ReloadAll,
    ReloadConfig,
    RemoveWatcher,
    RestartAll,
    StartAll,
    StopAll,
    Troubled,
    WatcherFacts,
    Wished,
)
from cvec_circus_core.policy.arbiter.state import ArbiterState
from cvec_circus_core.policy.config_plan import Configuration, watchers_by_key
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, Tick, TicketId

NAMES = ("alpha", "Beta", "gamma", "delta")
WARMUP = 2.0
LIMIT = 10.0
GRACE = 30.0
"""What each watcher has at least."""
ENOUGH = 2000
"""Steps after which everything must have come to rest."""

Step = Callable[[ArbiterState, Iterable[ArbiterInput], float], list[ArbiterEffect]]


class Act(Enum):
    """What may happen next."""

    ANSWER = "an effect is answered well"
    FAIL = "an effect is answered badly"
    TROUBLE = "a watcher fails to start a process"
    TIME = "time passes"
    LONG = "much time passes"
    READY = "a watcher is ready"
    WISH = "somebody wants something of one watcher"
    START = "start"
    STOP = "stop"
    RELOAD = "reload"
    CONFIG = "reloadconfig"
    SAME = "reloadconfig of the file as it is"
    RESTART = "restart"
    REMOVE = "rm"
    ADD = "add"
    QUIT = "quit"


class Broken(AssertionError):
    """An invariant does not hold."""


_SPECS = re.compile(
    r"WatcherSpec\((name='\w+', cmd='\w+').*?extra=\{\}\)|ArbiterSpec\(.*?skip_bad=\w+\)"
)


def _brief(match: re.Match[str]) -> str:
    return match[1] or ""


def require(holds: bool, sentence: str) -> None:
    """Raise `Broken` where something does not hold."""
    if not holds:
        raise Broken(sentence)


def drawn_spec(name: str, number: int) -> WatcherSpec:
    """Return a spec that a number chooses."""
    return WatcherSpec(
        name=name,
        cmd=("one", "two", "three")[number % 3],
        priority=number % 2,
        autostart=number % 5 != 0,
        on_demand=number % 7 == 0,
    )


def drawn_file(number: int) -> tuple[WatcherSpec, ...]:
    """Return a file that a number chooses."""
    names = [name for place, name in enumerate(NAMES) if number >> place & 1]
    return tuple(drawn_spec(name, number // (3 + place)) for place, name in enumerate(names))


class Starting(Struct):
    """What the books say of one start of all."""

    priorities: dict[str, int]
    """Of all watchers when it was asked for."""
    not_ready: dict[str, bool] = field(default_factory=dict)
    """Those that may be in the way of others, and whether their start is answered."""
    last_at: float | None = None


class Stopping(Struct):
    """What the books say of one stop of all."""

    priorities: dict[str, int]
    """Of all watchers that were up when it was asked for."""
    asked: set[str] = field(default_factory=set)
    asked_at: dict[str, float] = field(default_factory=dict)
    """Those whose end is not answered yet."""


class World(Struct):
    """Watchers that answer when they are told to, and books of all that was asked."""

    step: Step = machine.step
    now: float = 100.0
    state: ArbiterState = field(default_factory=lambda: ArbiterState(ArbiterSpec()))
    tickets: dict[TicketId, str] = field(default_factory=dict)
    """Open ones, and what they are for."""
    present: set[str] = field(default_factory=set)
    """Watchers that are there for certain, not only asked for."""
    count: int = 0
    returning: set[str] = field(default_factory=set)
    """Those that are added in the same step in which they leave."""
    settled: int = 0
    asks: dict[AskId, Ask] = field(default_factory=dict)
    last_ask: int = 0
    has_quit: bool = False
    quit_at: float | None = None
    wished: dict[str, int] = field(default_factory=dict)
    """By watcher: the last ticket before a wish for it alone."""
    hastened: set[str] = field(default_factory=set)
    starting: dict[TicketId, Starting] = field(default_factory=dict)
    stopping: dict[TicketId, Stopping] = field(default_factory=dict)
    story: list[tuple[object, object]] = field(default_factory=list)

    # What happens.

    def act(self, act: Act, number: int) -> None:
        """Let something happen."""
        match act:
            case Act.ANSWER | Act.FAIL:
                self._answer(number, well=act is Act.ANSWER)
            case Act.TROUBLE:
                self._trouble(name_key(NAMES[number % 4]))
            case Act.TIME:
                self.pass_time(number % 3)
            case Act.LONG:
                self.pass_time(200.0)
            case Act.WISH:
                watcher = name_key(NAMES[number % 4])
                if watcher in self.state.watchers:
                    self.wished[watcher] = self.count
                self.say(Wished(watcher))
            case Act.READY:
                self._get_ready(name_key(NAMES[number % 4]))
            case Act.START:
                ticket = self._ticket("start")
                watchers = self.state.watchers.items()
                self.starting[ticket] = Starting(
                    {key: facts.spec.priority for key, facts in watchers}
                )
                self.say(StartAll(ticket))
            case Act.STOP:
                self.say(StopAll(self._begin_stop("stop")))
            case Act.RELOAD:
                self.say(ReloadAll(self._ticket("reload"), graceful=bool(number % 2)))
            case Act.CONFIG:
                self.say(ReloadConfig(self._ticket("reloadconfig"), self._read(drawn_file(number))))
            case Act.SAME:
                self._same()
            case Act.RESTART:
                self.say(RestartAll(self._ticket("restart"), self._read(drawn_file(number))))
            case Act.REMOVE:
                self._remove(name_key(NAMES[number % 4]), nostop=number % 3 == 0)
            case Act.ADD:
                self._add(drawn_spec(NAMES[number % 4], number))
            case Act.QUIT:
                self._quit()

    def say(self, *facts: ArbiterInput) -> list[ArbiterEffect]:
        """Step, and hold the books against what comes out."""
        self.story.append((self.now, facts))
        effects = self.step(self.state, facts, self.now)
        self.story.append(("    ->", tuple(effects)))
        self.returning = {e.watcher for e in effects if isinstance(e, AddWatcher)}
        for effect in effects:
            self._check(effect)
        wake_at = machine.wake_at(self.state)
        require(wake_at is None or wake_at > self.now, "wants to be woken at once, for ever")
        self._check_end()
        for effect in effects:
            if isinstance(effect, AddWatcher):
                self._add_at_once(effect)
        return effects

    def _add_at_once(self, effect: AddWatcher) -> None:
        """Answer what needs no time; each seventh can not be had, and no name is there twice."""
        del self.asks[effect.ask]
        if effect.watcher in self.present:
            self.say(Answered(effect.ask, Failed(Conflict("its name is taken"))))
        elif effect.ask % 7 == 0:
            self.say(Answered(effect.ask, Failed(Conflict("its stream can not be had"))))
        else:
            self.present.add(effect.watcher)
            added = Added(effect.watcher, WatcherFacts(effect.spec))
            self.say(added, Answered(effect.ask, Done()))

    def pass_time(self, seconds: float) -> None:
        """Let time pass; the machine is woken when it wants to be."""
        until = self.now + seconds
        for _ in range(ENOUGH):
            wake_at = machine.wake_at(self.state)
            if wake_at is None or wake_at > until:
                self.now = until
                return
            self.now = wake_at
            self.say(Tick())
        raise Broken("time stands still")

    def rest(self) -> None:
        """Answer everything well until nothing is under way."""
        for _ in range(ENOUGH):
            if self.asks:
                self._answer(0, well=True)
            elif machine.wake_at(self.state) is not None:
                self.pass_time(WARMUP)
            elif self.state.operations:
                for watcher in tuple(self.state.watchers):
                    self._get_ready(watcher)
            else:
                break
        require(not self.tickets, f"never settles the ticket of {self.tickets}")
        require(not (self.state.operations or self.state.asks), "keeps what is over")
        require(not self.state.leaving, "keeps what has left")

    # The acts.

    def _ticket(self, name: str) -> TicketId:
        self.count += 1
        self.tickets[TicketId(self.count)] = name
        return TicketId(self.count)

    def _read(self, file: tuple[WatcherSpec, ...]) -> ConfigRead:
        return ConfigRead(Configuration(self.state.spec, file), {})

    def _answer(self, number: int, *, well: bool) -> None:
        if not self.asks:
            return
        ask_id = tuple(self.asks)[number % len(self.asks)]
        ask = self.asks.pop(ask_id)
        errors = (GaveUp("it can not start"), Superseded("wish", "other"), Conflict("not now"))
        outcome: Outcome = Done() if well else Failed(errors[number % 3])
        facts = list(self._facts(ask, outcome, is_ready=number % 2 == 0))
        ticket = self.state.asks[ask_id].ticket
        if isinstance(ask, SendWish) and ask.go is Go.START and ticket in self.starting:
            not_ready = self.starting[ticket].not_ready
            if not well or ask.watcher not in self.state.watchers:
                not_ready.pop(ask.watcher, None)
            elif ask.watcher in not_ready:
                # One that was in trouble meanwhile is in nobody's way any more.
                not_ready[ask.watcher] = True
        if isinstance(ask, SendWish) and ticket in self.stopping:
            self.stopping[ticket].asked_at.pop(ask.watcher, None)
        if not facts and isinstance(ask, SendWish) and ask.watcher in self.state.watchers:
            facts = [Became(ask.watcher, self.state.watchers[ask.watcher])]
        for fact in facts:
            self._note_facts(fact)
        self.say(*facts, Answered(ask_id, outcome))

    def _note_facts(self, became: Became) -> None:
        for starting in self.starting.values():
            is_over = became.facts.is_ready or not became.facts.is_up
            if is_over and starting.not_ready.get(became.watcher):
                del starting.not_ready[became.watcher]

    def _get_ready(self, watcher: str) -> None:
        old = self.state.watchers.get(watcher)
        if old is not None and old.is_up:
            became = Became(watcher, replace(old, status=WatcherStatus.ACTIVE, is_ready=True))
            self._note_facts(became)
            self.say(became)

    def _facts(self, ask: Ask, outcome: Outcome, *, is_ready: bool) -> Iterable[Became]:
        """Yield what a watcher says of itself before its answer."""
        if isinstance(ask, AwaitHooks) or not hasattr(ask, "watcher"):
            return
        old = self.state.watchers.get(ask.watcher)
        if old is None:
            return
        up, down = (WatcherStatus.ACTIVE, Condition.UP), (WatcherStatus.STOPPED, Condition.DOWN)
        match ask:
            case SendWish(_, go):
                status, condition = down if go in (Go.STOP, Go.LEAVE) else up
                if isinstance(outcome, Failed) and isinstance(outcome.error, GaveUp):
                    status, condition = WatcherStatus.STOPPED, Condition.GAVE_UP
                is_ready = is_ready and status is WatcherStatus.ACTIVE
                new = replace(old, status=status, condition=condition, is_ready=is_ready)
                yield Became(ask.watcher, new)
            case ChangeWatcher(_, spec) if isinstance(outcome, Done):
                yield Became(ask.watcher, replace(old, spec=spec))

    def _trouble(self, watcher: str) -> None:
        for starting in self.starting.values():
            starting.not_ready.pop(watcher, None)
        self.say(Troubled(watcher))

    def _remove(self, watcher: str, *, nostop: bool) -> None:
        if watcher in self.state.watchers:
            self.say(RemoveWatcher(self._ticket("rm"), watcher, nostop))

    def _add(self, spec: WatcherSpec) -> None:
        key = name_key(spec.name)
        if not self.has_quit and key not in self.state.watchers:
            self.present.add(key)
            self.say(Added(key, WatcherFacts(spec)))

    def _same(self) -> None:
        """Read the file that is in force: nothing may come of it."""
        if self.has_quit or self.state.operations:
            return
        in_force = {key: facts.spec for key, facts in self.state.watchers.items()}
        file = tuple(in_force[key] for key in self.state.watchers_in_file if key in in_force)
        if watchers_by_key(file) != self.state.watchers_in_file:
            return
        ticket = self._ticket("reloadconfig")
        effects = self.say(ReloadConfig(ticket, self._read(file)))
        asks = [effect for effect in effects if not isinstance(effect, Settle)]
        require(not asks, f"an equal file means {asks}")
        require(ticket not in self.tickets, "keeps the ticket of a file that changes nothing")

    def _begin_stop(self, name: str) -> TicketId:
        ticket = self._ticket(name)
        watchers = self.state.watchers.items()
        self.stopping[ticket] = Stopping(
            {key: facts.spec.priority for key, facts in watchers if facts.is_up}
        )
        return ticket

    def _quit(self) -> None:
        if self.has_quit:
            self.say(Quit(self._ticket("quit")))
            return
        self.has_quit, self.quit_at = True, self.now
        before = set(self.state.watchers)
        up = {key for key, facts in self.state.watchers.items() if facts.is_up}
        effects = self.say(Quit(self._begin_stop("quit")))
        stopped = {effect.watcher for effect in effects if isinstance(effect, SendWish)}
        closed = {effect.watcher for effect in effects if isinstance(effect, CloseWatcher)}
        require(stopped | closed == before, f"a quit lets {before - stopped - closed} come up")
        require(not closed - up, "a quit lets some wait that are down")

    # The books.

    def _check(self, effect: ArbiterEffect) -> None:
        match effect:
            case Settle(ticket, outcome):
                require(ticket in self.tickets, f"settles ticket {ticket} twice")
                del self.tickets[ticket]
                self.starting.pop(ticket, None)
                self.stopping.pop(ticket, None)
                self.settled += 1
                if isinstance(outcome, Failed):
                    require(isinstance(outcome.error, CircusError), "fails with no reason")
            case CloseWatcher():
                require(self.has_quit, "closes a watcher for no reason")
            case HastenWatcher(watcher):
                is_allowed = self.has_quit and self.state.spec.shutdown_timeout > 0
                require(is_allowed, f"hastens {watcher} for no reason")
                self.hastened.add(watcher)
            case ForgetWatcher(watcher):
                is_gone = watcher not in self.state.watchers or watcher in self.returning
                require(is_gone, "knows whom it forgets")
                self.present.discard(watcher)
                self.wished.pop(watcher, None)
                for starting in self.starting.values():
                    if starting.not_ready.get(watcher):
                        del starting.not_ready[watcher]
            case _:
                self._check_ask(effect)

    def _check_ask(self, ask: Ask) -> None:
        require(ask.ask > self.last_ask, f"asks with the number {ask.ask} again")
        self.last_ask = ask.ask
        self.asks[ask.ask] = ask
        if self.has_quit:
            is_end = isinstance(ask, AwaitHooks) or (
                isinstance(ask, SendWish) and ask.go in (Go.STOP, Go.LEAVE)
            )
            require(is_end, f"asks for {ask} after the quit")
        if isinstance(ask, ReloadWatcher):
            facts = self.state.watchers.get(ask.watcher)
            is_up = facts is not None and facts.is_up
            require(is_up, f"reloads {ask.watcher}, which is down")
        ticket = self.state.asks[ask.ask].ticket
        if isinstance(ask, SendWish) and not ask.closes:
            is_older = ticket <= self.wished.get(ask.watcher, 0)
            require(not is_older, f"wants {ask.go} of {ask.watcher} in spite of a newer wish")
        if isinstance(ask, SendWish) and ask.go is Go.START and ticket in self.starting:
            self._check_start(self.starting[ticket], ask.watcher)
        if isinstance(ask, SendWish) and ticket in self.stopping:
            self._check_stop(self.stopping[ticket], ask)

    def _check_start(self, starting: Starting, watcher: str) -> None:
        require(watcher in self.state.watchers, f"starts {watcher}, which is gone")
        require(watcher not in self.state.leaving, f"starts {watcher}, which leaves")
        priority = starting.priorities[watcher]
        higher = [key for key in starting.not_ready if starting.priorities[key] > priority]
        require(not higher, f"starts {watcher} before {higher} are ready")
        starting.not_ready[watcher] = False
        pause = self.state.spec.warmup_delay
        is_early = starting.last_at is not None and self.now < starting.last_at + pause
        require(not is_early, f"starts {watcher} without a pause")
        starting.last_at = self.now

    def _check_stop(self, stopping: Stopping, wish: SendWish) -> None:
        require(wish.closes is self.has_quit, "closes some, or leaves them open")
        priorities, key = stopping.priorities, wish.watcher
        stopping.asked.add(key)
        if key in priorities:
            lower = {other for other in priorities if priorities[other] < priorities[key]}
            unasked = lower & set(self.state.watchers) - stopping.asked - set(self.wished)
            require(not unasked, f"stops {key} before it asks {unasked}")
            present = [
                other
                for other in lower & set(stopping.asked_at) - self.hastened
                if self.now - stopping.asked_at[other] < GRACE
            ]
            require(not present, f"stops {key} before {present} are gone")
        stopping.asked_at[key] = self.now

    def _check_end(self) -> None:
        """Make sure that a daemon that quits is gone in time."""
        limit = self.state.spec.shutdown_timeout
        if self.quit_at is None or not limit:
            return
        is_late = self.now > self.quit_at + limit + KILLED_WITHIN
        require(not (is_late and "quit" in self.tickets.values()), "does not end in time")


def live(
    history: Iterable[tuple[Act, int]], step: Step = machine.step, *, in_time: bool = False
) -> World:
    """Live through a history and come to rest. Raises `Broken`, with what led there.

    The end has a limit where it is to be ``in_time``.
    """
    world = World(step)
    limit = LIMIT if in_time else 0.0
    world.state.spec = ArbiterSpec(warmup_delay=WARMUP, shutdown_timeout=limit)
    try:
        for act, number in history:
            world.act(act, number)
        world.rest()
        world.act(Act.SAME, 0)
    except Exception as problem:
        story = "\n".join(
            f"{who} {_SPECS.sub(_brief, repr(what))}" for who, what in world.story[-60:]
        )
        raise Broken(f"{problem!r}\n{story}") from problem
    return world
