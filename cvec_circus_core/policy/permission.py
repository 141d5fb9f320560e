"""Who may do what: pure judgement over the lists in the configuration.

Root and the daemon's own user may do everything, and so may those whom the operator listed. Viewers
may read. All others may act on the watchers that list them, and else nothing. Lists are compared as
they are written: by name, by number, by ``@group``, or by ``key:NAME`` for the holder of a key,
whose role says what they may do beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from cvec_circus_core.model.access import (
    GROUP_MARK,
    KEY_MARK,
    Anybody,
    KeyHolder,
    KnownKey,
    LocalUser,
    PeerIdentity,
    Rights,
    Role,
    Stranger,
)
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field

ROOT = 0


class Rules(Struct, frozen=True):
    """Whom the daemon obeys: its own user, and the words of its lists."""

    own_uid: int
    everything: frozenset[str] = frozenset()
    reading: frozenset[str] = frozenset()
    keys: Mapping[str, KnownKey] = field(default_factory=dict)
    """Those who come with a key, by key."""

    @property
    def words(self) -> frozenset[str]:
        """All that is listed."""
        return self.everything | self.reading


def rules_of(spec: ArbiterSpec, own_uid: int, keys: Mapping[str, KnownKey] | None = None) -> Rules:
    """Return what the ``[circus]`` section says, and the list of keys."""
    owner = () if spec.endpoint_owner is None else (str(spec.endpoint_owner),)
    groups = (f"{GROUP_MARK}{name.removeprefix(GROUP_MARK)}" for name in spec.allow_groups)
    everything = frozenset({*owner, *spec.allow_users, *groups})
    return Rules(own_uid, everything, frozenset(spec.viewers), keys or {})


def rights_of(rules: Rules, caller: PeerIdentity, words: Iterable[str] = ()) -> Rights:
    """Return what a caller may. ``words`` are those by which lists may mean them."""
    match caller:
        case Anybody():
            return Rights(everything=True, reading=True)
        case Stranger():
            return Rights()
        case LocalUser(uid):
            return _listed(rules, frozenset(words), everything=uid in (ROOT, rules.own_uid))
        case KeyHolder(key):
            return _of_key(rules, rules.keys.get(key))
        case _:
            assert_never(caller)


def narrowed(rights: Rights, role: Role) -> Rights:
    """Return what a person may for whom a program with these rights asks: never more than it."""
    match role:
        case Role.OPERATOR:
            return rights
        case Role.VIEWER:
            return Rights(reading=rights.reading)
        case Role.GUEST:
            return Rights()
        case _:
            assert_never(role)


def _of_key(rules: Rules, known: KnownKey | None) -> Rights:
    if known is None:
        return Rights()
    word = frozenset({f"{KEY_MARK}{known.name}"})
    is_operator, is_viewer = known.role is Role.OPERATOR, known.role is Role.VIEWER
    return _listed(rules, word, everything=is_operator, reading=is_viewer)


def _listed(
    rules: Rules, words: frozenset[str], *, everything: bool, reading: bool = False
) -> Rights:
    everything = everything or not words.isdisjoint(rules.everything)
    reading = reading or everything or not words.isdisjoint(rules.reading)
    return Rights(everything, reading, words)


def listed_words(spec: ArbiterSpec, watchers: Iterable[WatcherSpec]) -> Iterator[str]:
    """Yield every word of every list, to see whether the machine knows whom it means."""
    yield from sorted(rules_of(spec, ROOT).words)
    for watcher in watchers:
        yield from watcher.allow_users


def lets_others_in(spec: ArbiterSpec, watchers: Iterable[WatcherSpec]) -> bool:
    """Tell whether any other user of this machine has reason to connect."""
    lists = (spec.allow_users, spec.viewers, *(watcher.allow_users for watcher in watchers))
    words = (word for one in lists for word in one)
    return bool(spec.allow_groups) or any(not word.startswith(KEY_MARK) for word in words)
