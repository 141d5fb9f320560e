"""Words for tables: some watchers in memory, what is said of them, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.arbiter.effects import ArbiterEffect, AskId, SendWish
from cvec_circus_core.policy.arbiter.inputs import (
    Added,
    Answered,
    ArbiterInput,
    Became,
    ConfigRead,
    ReloadConfig,
    WatcherFacts,
)
from cvec_circus_core.policy.arbiter.machine import step, wake_at
from cvec_circus_core.policy.arbiter.state import ArbiterState
from cvec_circus_core.policy.config_plan import (
    Configuration,
    plan_config,
    sockets_by_name,
    watchers_by_key,
)
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, TicketId

DONE = Done()


def spec(name: str, priority: int = 0, **options: Any) -> WatcherSpec:
    """Return a watcher's spec."""
    return WatcherSpec(**{"name": name, "cmd": "x", "priority": priority, **options})


def ticket(number: int = 1) -> TicketId:
    """Name a ticket."""
    return TicketId(number)


def wish(watcher: str, go: Go, ask: int, *, closes: bool = False) -> SendWish:
    """Ask one watcher."""
    return SendWish(watcher, go, closes, AskId(ask))


def starts(asks: Mapping[str, int]) -> list[ArbiterEffect]:
    """Ask watchers to start."""
    return [wish(key, Go.START, number) for key, number in asks.items()]


def stops(asks: Mapping[str, int], *, closes: bool = False) -> list[ArbiterEffect]:
    """Ask watchers to stop."""
    return [wish(key, Go.STOP, number, closes=closes) for key, number in asks.items()]


def answer(ask: int, outcome: Outcome | CircusError = DONE) -> Answered:
    """Answer one effect."""
    failed = isinstance(outcome, CircusError)
    return Answered(AskId(ask), Failed(outcome) if failed else outcome)  # type: ignore[arg-type]


def kept(number: int = 1, **pids: tuple[int, ...]) -> Settle:
    """Keep a promise."""
    return Settle(ticket(number), Done(**pids))  # type: ignore[arg-type]


def errors(effects: Iterable[ArbiterEffect]) -> dict[int, str]:
    """Return what broke which promise."""
    return {
        effect.ticket: str(effect.outcome.error)
        for effect in effects
        if isinstance(effect, Settle) and isinstance(effect.outcome, Failed)
    }


class Watchers:
    """The machine of all watchers with a clock in its hand. They come from a file, stopped."""

    def __init__(
        self, *specs: WatcherSpec, sockets: Iterable[SocketSpec] = (), **options: Any
    ) -> None:
        self.sockets = sockets_by_name(sockets)
        self.state = ArbiterState(
            ArbiterSpec(**options), watchers_by_key(specs), dict(self.sockets)
        )
        self.hears(*(Added(key, WatcherFacts(one)) for key, one in watchers_by_key(specs).items()))

    def hears(self, *facts: ArbiterInput, at: float = 0.0) -> list[ArbiterEffect]:
        """Step with one batch of inputs."""
        return step(self.state, facts, at)

    def become(
        self,
        status: WatcherStatus = WatcherStatus.ACTIVE,
        *keys: str,
        condition: Condition = Condition.UP,
        is_ready: bool | None = None,
        at: float = 0.0,
    ) -> list[ArbiterEffect]:
        """Let some watchers, or all, be in another state; return what the last one leads to."""
        effects: list[ArbiterEffect] = []
        is_ready = status is WatcherStatus.ACTIVE if is_ready is None else is_ready
        for key in keys or tuple(self.state.watchers):
            old = self.state.watchers[key]
            new = replace(old, status=status, condition=condition, is_ready=is_ready)
            effects = self.hears(Became(key, new), at=at)
        return effects

    def reading(self, *specs: WatcherSpec, late: Iterable[str] = (), **more: Any) -> ConfigRead:
        """Return another file, read."""
        sockets = more.pop("sockets", self.sockets.values())
        configuration = Configuration(ArbiterSpec(**more), specs, tuple(sockets))
        return ConfigRead(configuration, self.sockets, frozenset(late))

    def reload_config(
        self, *specs: WatcherSpec, number: int = 1, at: float = 0.0, **more: Any
    ) -> list[ArbiterEffect]:
        """Read another file and want what it says."""
        return self.hears(ReloadConfig(ticket(number), self.reading(*specs, **more)), at=at)

    def actions(self, *specs: WatcherSpec) -> dict[str, str]:
        """Return what another file would mean, watcher by watcher."""
        configuration = Configuration(self.state.spec, specs, tuple(self.sockets.values()))
        plan = plan_config(configuration, self.state.present(self.sockets))
        return {step.key: step.action.value for step in plan.steps}

    def is_at_rest(self) -> bool:
        """Whether nothing is under way."""
        state = self.state
        return not (state.operations or state.asks or state.leaving) and wake_at(state) is None
