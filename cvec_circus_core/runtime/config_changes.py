"""A configuration that was read again: what it means, and doing it.

Made by the arbiter, told by `plan`, done by `apply`. Watchers follow one another by priority: those
that go are told first, then group after group is changed and started. One whose change fails keeps
what it had, and counts as not changed: the next reloadconfig tries it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cvec_circus_core.model.errors import CircusError, Conflict, GaveUp, RolloutFailed
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.config_plan import Plan
from cvec_circus_core.policy.config_steps import (
    Action,
    OptionsPlan,
    Step,
    key_of,
)
from cvec_circus_core.policy.order import start_groups
from cvec_circus_core.policy.socket_plan import SocketPlan
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.runtime.socket_changes import SocketChange
from cvec_circus_core.runtime.start_sequence import start_in_order
from cvec_circus_core.runtime.tickets import Ticket, settled, wait_all
from cvec_circus_core.runtime.watcher import WatcherActor

if TYPE_CHECKING:
    from cvec_circus_core.runtime.arbiter import ArbiterActor

Adopt = Callable[[ArbiterSpec, tuple[str, ...]], None]
"""Lives by the daemon's own options, of which these differ. Raises `ConfigError`."""


def adopt_nothing(spec: ArbiterSpec, keys: tuple[str, ...]) -> None:
    """Leave everything around the arbiter as it is."""


class Outlook(Struct, frozen=True):
    """What a new configuration means."""

    steps: tuple[Step, ...]
    watchers: Plan
    sockets: SocketPlan
    options: OptionsPlan

    def as_json(self) -> dict[str, Any]:
        """Return it for a reply."""
        sockets = {
            "add": self.sockets.add,
            "remove": self.sockets.remove,
            "replace": self.sockets.renew,
            "adjust": self.sockets.adjust,
        }
        return {
            "watchers": [
                {"name": step.watcher, "action": step.action.value, "reason": step.reason}
                for step in self.steps
            ],
            "sockets": [
                {"name": name, "action": action}
                for action, names in sockets.items()
                for name in names
            ],
            "options": {
                "at_once": list(self.options.at_once),
                "at_next_start": list(self.options.at_next_start),
            },
        }


class WatcherChanges:
    """Does what the steps say."""

    def __init__(self, arbiter: ArbiterActor, outlook: Outlook) -> None:
        self._arbiter = arbiter
        self._outlook = outlook
        self._done: list[Done] = []
        self._failure: CircusError | None = None
        self.failed: list[str] = []
        """Keys of the watchers that could not be changed."""

    async def make(self, sockets: SocketChange) -> Done:
        """Make them. Raises the first failure, once everything has ended."""
        await sockets.apply()
        leaving = [step for step in self._outlook.steps if step.action is Action.REMOVE]
        removed = [self._arbiter.remove(one.watcher) for one in leaving]
        others = [step for step in self._outlook.steps if step.action is not Action.REMOVE]
        for _, group in groupby(others, key=lambda one: one.priority):
            await self._make_group(list(group))
        self._done.append(await wait_all([*removed, *sockets.renew()]))
        if self._failure is not None:
            raise self._failure
        return Done(
            stopped=tuple(pid for one in self._done for pid in one.stopped),
            started=tuple(pid for one in self._done for pid in one.started),
        )

    async def _make_group(self, group: Iterable[Step]) -> None:
        changes: list[tuple[Step, Ticket]] = []
        added: list[WatcherActor] = []
        for step in group:
            key = key_of(step)
            if step.action is Action.ADD:
                added.append(self._arbiter.add(self._outlook.watchers.add[key]))
            elif key in self._outlook.watchers.change:
                changes.append((step, self._change(key, step.action)))
        groups = start_groups([one for one in added if one.spec.autostart])
        spec, world = self._arbiter.spec, self._arbiter.world
        try:
            self._done.append(await start_in_order(groups, spec.warmup_delay, world))
        except CircusError as error:
            self._failure = self._failure or error
        for step, ticket in changes:
            await self._end_of(step, ticket)

    def _change(self, key: str, action: Action) -> Ticket:
        actor = self._arbiter.watcher(key)
        spec = self._outlook.watchers.change[key]
        what = changed(actor.spec, spec)
        try:
            ticket = actor.change(spec, what.keys, what.needs)
        except CircusError as error:
            return settled(self._arbiter.world.loop, Failed(error))
        match action:
            case Action.RESTART:
                return actor.wish(Go.RESTART)
            case Action.START:
                return actor.wish(Go.START)
            case _:
                return ticket

    async def _end_of(self, step: Step, ticket: Ticket) -> None:
        try:
            self._done.append(await ticket)
        except Conflict as error:
            # Somebody wants something else of it by now; what it was given stays.
            self._failure = self._failure or error
        except CircusError as error:
            self.failed.append(key_of(step))
            named = type(error)(f"watcher {step.watcher}: {error}") if _is_plain(error) else error
            self._failure = self._failure or named


def _is_plain(error: CircusError) -> bool:
    return isinstance(error, RolloutFailed | GaveUp)


def with_options(spec: ArbiterSpec, new: ArbiterSpec, keys: Iterable[str]) -> ArbiterSpec:
    """Return the daemon's options with some of the new ones."""
    return replace(spec, **{key: getattr(new, key) for key in keys})


def by_key(specs: Iterable[WatcherSpec]) -> dict[str, WatcherSpec]:
    """Return specs by the key of their name."""
    return {name_key(spec.name): spec for spec in specs}
