"""What a watcher leaves for the daemon that would take it over, and how that reads it.

A note tells what is wanted of the watcher and has been counted, another one how it is configured; a
label at each process, whose it is. They are written when they change and at no other time: a death
costs one note and one label, however many processes there are.
"""

from __future__ import annotations

import marshal
import os
import pickle
from collections.abc import Iterable, Mapping, Sequence

from cvec_circus_core.model import events
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.watcher.inputs import Found, Remembered
from cvec_circus_core.policy.watcher.slots import Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.takeover import memory_of
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.system.protocols import Clock
from cvec_circus_core.system.state_store import Inventory, KeptProcess, StateStore

_SPEC, _MEMORY, _OPERATION, _BEGUN = "spec:", "memory:", "operation:", "begun"


class FoundProcess(Struct, frozen=True):
    """A process that an earlier daemon has started, and what is known of it."""

    kept: KeptProcess
    found: Found
    is_told: bool
    """Whether its ``spawn`` event was published."""


class KeptWatcher(Struct, frozen=True):
    """A watcher that an earlier daemon had."""

    spec: WatcherSpec
    memory: Remembered | None
    processes: Sequence[FoundProcess] = ()


class TakeoverNotes:
    """Writes what one watcher leaves."""

    def __init__(self, state: WatcherState, store: StateStore, clock: Clock) -> None:
        self._state = state
        self._store = store
        self._clock = clock
        self._key = name_key(state.spec.name)
        self._spec: WatcherSpec | None = None
        self._memory: Remembered | None = None
        self._told: set[int] = set()
        """Living processes whose ``spawn`` event was published."""

    def label_for(self, wid: int) -> bytes:
        """Return the label of a process that is about to start."""
        if not self._store.is_kept:
            return b""
        return self._label(wid, self._state.slots.generation, self._clock.now())

    def _label(
        self,
        wid: int,
        generation: int,
        started_at: float,
        *,
        is_ready: bool = False,
        is_told: bool = False,
    ) -> bytes:
        return marshal.dumps((self._key, wid, generation, started_at, is_ready, is_told))

    def sync(self) -> None:
        """Write what has changed in a step."""
        state, changed = self._state, self._state.slots.changed
        if self._store.is_kept:
            if state.spec is not self._spec:
                self._spec = state.spec
                self._store.note(_SPEC + self._key, pickle.dumps(state.spec))
            memory = memory_of(state)
            if memory != self._memory:
                self._memory = memory
                self._store.note(_MEMORY + self._key, pickle.dumps(memory))
            for wid in changed:
                if wid in state.slots.by_wid:
                    self._relabel(state.slots.by_wid[wid])
        changed.clear()

    def _relabel(self, slot: Slot) -> None:
        if slot.pid not in self._state.slots.by_pid:
            return
        label = self._label(
            slot.wid,
            slot.generation,
            slot.started_at,
            is_ready=slot.ready,
            is_told=slot.pid in self._told,
        )
        self._store.label(slot.pid, label)

    def was_told(self, event: events.Event) -> None:
        """Note that an event about a process was published."""
        if not self._store.is_kept:
            return
        if isinstance(event, events.ProcessSpawned):
            self._told.add(event.pid)
            slot = self._state.slots.by_pid.get(event.pid)
            if slot is not None:
                self._relabel(slot)
        elif isinstance(event, events.ProcessReaped):
            self._told.discard(event.pid)
            self._store.confirm(event.pid)

    def take_over(self, processes: Iterable[FoundProcess]) -> None:
        """Know which of the processes that are taken over were told of."""
        self._told.update(process.kept.pid for process in processes if process.is_told)

    def forget(self) -> None:
        """Leave nothing: the watcher is removed."""
        self._store.note(_SPEC + self._key, None)
        self._store.note(_MEMORY + self._key, None)


def kept_watchers(inventory: Inventory) -> Mapping[str, KeptWatcher]:
    """Return the watchers of an inventory by their keys, in the order in which they were added."""
    notes = inventory.notes
    processes: dict[str, list[FoundProcess]] = {}
    for kept in inventory.processes:
        process, key = _read(kept)
        processes.setdefault(key, []).append(process)
    watchers = {}
    for name, content in notes.items():
        if name.startswith(_SPEC):
            key = name.removeprefix(_SPEC)
            memory = notes.get(_MEMORY + key)
            watchers[key] = KeptWatcher(
                pickle.loads(content),  # noqa: S301 - written by a daemon of this user
                None if memory is None else pickle.loads(memory),  # noqa: S301 - the same
                # Those that have ended come first: their pids may have others by now.
                sorted(processes.get(key, ()), key=lambda process: process.kept.end is None),
            )
    return watchers


def has_begun(inventory: Inventory) -> bool:
    """Tell whether an earlier daemon has come so far as to start its watchers."""
    return _BEGUN in inventory.notes


def note_begun(store: StateStore) -> None:
    """Have a later daemon know that it is not the first."""
    store.note(_BEGUN, b"")


def present_watchers(
    in_file: Iterable[WatcherSpec], kept: Mapping[str, KeptWatcher], inventory: Inventory
) -> list[WatcherSpec]:
    """Return the watchers in force: those that were kept, or those of the file in a first start.

    What a plugin's process is told of its daemon is the present daemon's.
    """
    specs = {name_key(spec.name): spec for spec in in_file}
    if not has_begun(inventory):
        return list(specs.values())
    return [
        _with_settings_of(specs[key], watcher.spec) if key in specs else watcher.spec
        for key, watcher in kept.items()
    ]


def _with_settings_of(new: WatcherSpec, kept: WatcherSpec) -> WatcherSpec:
    if PLUGIN_SETTINGS not in new.env:
        return kept
    return replace(kept, env={**kept.env, PLUGIN_SETTINGS: new.env[PLUGIN_SETTINGS]})


class OperationNotes:
    """Which requests for all watchers are under way."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._count = 0

    def interrupted(self) -> list[str]:
        """Return the names of those that an earlier daemon did not bring to their end."""
        keys = [key for key in self._store.inventory.notes if key.startswith(_OPERATION)]
        for key in keys:
            self._store.note(key, None)
        return [self._store.inventory.notes[key].decode() for key in keys]

    def note(self, name: str, ticket: TicketFuture) -> TicketFuture:
        """Know of one until it is settled; return it."""
        if self._store.is_kept and not ticket.is_settled():
            self._count += 1
            key = f"{_OPERATION}{os.getpid()}.{self._count}"
            self._store.note(key, name.encode())
            ticket.when_settled(lambda: self._store.note(key, None))
        return ticket


def _read(kept: KeptProcess) -> tuple[FoundProcess, str]:
    key, wid, generation, started_at, is_ready, is_told = marshal.loads(kept.label)  # noqa: S302 - as above
    found = Found(wid, kept.pid, started_at, generation, is_ready)
    return FoundProcess(kept, found, is_told), key
