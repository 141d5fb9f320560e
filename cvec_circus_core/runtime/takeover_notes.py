"""What a watcher leaves for the daemon that would take it over, and how that reads it.

A note tells what is wanted of the watcher and has been counted, another one how it is configured, a
further one what each slot waits for that is to be tried again; a label at each process, whose it
is. They are written when they change and at no other time: a death costs one note and one label,
however many processes there are. Their form is one that other versions of the program read, too.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from cvec_circus_core.model import events, plain_form
from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.watcher.inputs import Found, FoundWaiting, Remembered
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.takeover import as_found, as_found_waiting, memory_of
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.system.output_journal import OutputJournal
from cvec_circus_core.system.protocols import Clock
from cvec_circus_core.system.state_store import Inventory, KeptProcess, StateStore

log = logging.getLogger(__name__)

T = TypeVar("T")

_SPEC, _MEMORY, _WAITING = "spec:", "memory:", "waiting:"
_OUTPUT = "output"
_OPERATION, _BEGUN = "operation:", "begun"


class ProcessLabel(Struct, frozen=True, omit_defaults=True):
    """Whose a process is, and what is known of it; its pid is its owner's to say."""

    watcher: str
    found: Found
    is_told: bool = False
    """Whether its ``spawn`` event was published."""


class WaitingNote(Struct, frozen=True):
    """A slot of a watcher that waits."""

    watcher: str
    slot: FoundWaiting


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
    waiting: Sequence[FoundWaiting] = ()


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
        self._waiting: set[int] = set()
        """Slots of which it is noted that they wait."""

    def label_for(self, wid: int) -> bytes:
        """Return the label of a process that is about to start."""
        if not self._store.is_kept:
            return b""
        slots = self._state.slots
        slot = slots.by_wid.get(wid)
        found = Found(wid, 0, self._clock.now(), slots.generation)
        if slot is not None:
            counts = {"deaths": slot.deaths, "bad_ends": slot.bad_ends}
            found = replace(found, unready_ends=slot.unready_ends, **counts)
        return plain_form.dump(ProcessLabel(self._key, found))

    def sync(self) -> None:
        """Write what has changed in a step."""
        state, changed = self._state, self._state.slots.changed
        if self._store.is_kept:
            if state.spec is not self._spec:
                self._spec = state.spec
                self._store.note(_SPEC + self._key, plain_form.dump(state.spec))
            memory = memory_of(state)
            if memory != self._memory:
                self._memory = memory
                self._store.note(_MEMORY + self._key, plain_form.dump(memory))
            for wid in changed:
                self._sync_slot(wid, state.slots.by_wid.get(wid))
        changed.clear()

    def _sync_slot(self, wid: int, slot: Slot | None) -> None:
        key = f"{_WAITING}{wid}:{self._key}"
        if slot is not None and slot.phase is Phase.WAITING:
            self._waiting.add(wid)
            note = WaitingNote(self._key, as_found_waiting(slot))
            self._store.note(key, plain_form.dump(note))
        elif wid in self._waiting:
            self._waiting.discard(wid)
            self._store.note(key, None)
        if slot is not None:
            self._relabel(slot)

    def _relabel(self, slot: Slot) -> None:
        if slot.pid in self._state.slots.by_pid:
            label = ProcessLabel(self._key, as_found(slot), slot.pid in self._told)
            self._store.label(slot.pid, plain_form.dump(label))

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

    def take_over(self, kept: KeptWatcher) -> None:
        """Know what was told of the processes that are taken over, and what is noted."""
        self._told.update(process.kept.pid for process in kept.processes if process.is_told)
        self._waiting.update(slot.wid for slot in kept.waiting)
        self._state.slots.changed.update(self._waiting)

    def forget(self) -> None:
        """Leave nothing: the watcher is removed."""
        self._store.note(_SPEC + self._key, None)
        self._store.note(_MEMORY + self._key, None)
        for wid in self._waiting:
            self._store.note(f"{_WAITING}{wid}:{self._key}", None)


def kept_watchers(inventory: Inventory) -> Mapping[str, KeptWatcher]:
    """Return the watchers of an inventory by their keys, in the order in which they were added.

    Raises `SystemProblem` for what another version has left that can not be read.
    """
    notes = inventory.notes
    processes: dict[str, list[FoundProcess]] = {}
    for kept in inventory.processes:
        process, key = _read(kept)
        processes.setdefault(key, []).append(process)
    waiting: dict[str, list[FoundWaiting]] = {}
    for name in notes:
        if name.startswith(_WAITING):
            note = _load(inventory, name, WaitingNote)
            waiting.setdefault(note.watcher, []).append(note.slot)
    watchers = {}
    for name in notes:
        if name.startswith(_SPEC):
            key = name.removeprefix(_SPEC)
            has_memory = _MEMORY + key in notes
            watchers[key] = KeptWatcher(
                _load(inventory, name, WatcherSpec),
                _load(inventory, _MEMORY + key, Remembered) if has_memory else None,
                # Those that have ended come first: their pids may have others by now.
                sorted(processes.get(key, ()), key=lambda process: process.kept.end is None),
                waiting.get(key, ()),
            )
    return watchers


def note_adopted(
    inventory: Inventory, spec: WatcherSpec, wid: int, kept: KeptProcess, started_at: float
) -> None:
    """Have a process in an inventory of which nothing else is known; its label is made anew."""
    key = name_key(spec.name)
    label = ProcessLabel(key, Found(wid, 0, started_at, ready=True), is_told=True)
    inventory.notes[_SPEC + key] = plain_form.dump(spec)
    inventory.processes.append(dataclasses.replace(kept, label=plain_form.dump(label)))


def has_begun(inventory: Inventory) -> bool:
    """Tell whether an earlier daemon has come so far as to start its watchers."""
    return _BEGUN in inventory.notes


def note_begun(store: StateStore) -> None:
    """Have a later daemon know that it is not the first."""
    store.note(_BEGUN, b"")


def output_journal(store: StateStore) -> OutputJournal | None:
    """Return where it is noted which output is under way; None where nothing is kept."""
    if not store.is_kept:
        return None
    try:
        descriptor = store.inventory.held.get(_OUTPUT)
        if descriptor is not None:
            return OutputJournal.inherited(descriptor)
    except (OSError, ValueError) as error:
        log.error("output that was under way is lost: the note of it %s", error)
    try:
        journal = OutputJournal.new()
    except OSError as error:
        log.error("output that is under way when the daemon is killed will be lost: %s", error)
        return None
    store.hold(_OUTPUT, journal.descriptor)
    return journal


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
    label = read_note(kept.label, ProcessLabel, f"process {kept.pid}")
    found = replace(label.found, pid=kept.pid)
    return FoundProcess(kept, found, label.is_told), label.watcher


def _load(inventory: Inventory, name: str, kind: type[T]) -> T:
    return read_note(inventory.notes[name], kind, name)


def read_note(content: bytes, kind: type[T], name: str) -> T:
    """Return what an earlier daemon has noted. Raises `SystemProblem` where it can not be read."""
    try:
        return plain_form.load(content, kind)
    except plain_form.BadForm as error:
        raise SystemProblem(
            f"what an earlier daemon has noted of {name} can not be read: {error}"
        ) from error
