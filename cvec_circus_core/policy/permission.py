"""Who may do what: pure judgement over the lists in the configuration.

Root and the daemon's own user may do everything, and so may those whom the operator listed. Viewers
may read. Everybody else may act on the watchers that list him, and else nothing. Lists are compared
as they are written: by name, by number, or by ``@group``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from cvec_circus_core.model.access import GROUP_MARK, Anybody, Caller, LocalUser, Rights, Stranger
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct

ROOT = 0


class Rules(Struct, frozen=True):
    """Whom the daemon obeys: its own user, and the words of its lists."""

    own_uid: int
    everything: frozenset[str] = frozenset()
    reading: frozenset[str] = frozenset()

    @property
    def words(self) -> frozenset[str]:
        """All that is listed."""
        return self.everything | self.reading


def rules_of(spec: ArbiterSpec, own_uid: int) -> Rules:
    """Return what the ``[circus]`` section says."""
    owner = () if spec.endpoint_owner is None else (str(spec.endpoint_owner),)
    groups = (f"{GROUP_MARK}{name.removeprefix(GROUP_MARK)}" for name in spec.allow_groups)
    return Rules(own_uid, frozenset({*owner, *spec.allow_users, *groups}), frozenset(spec.viewers))


def rights_of(rules: Rules, caller: Caller, words: Iterable[str] = ()) -> Rights:
    """Return what a caller may. ``words`` are those by which lists may mean him."""
    match caller:
        case Anybody():
            return Rights(everything=True, reading=True)
        case Stranger():
            return Rights()
        case LocalUser(uid):
            known = frozenset(words)
            everything = uid in (ROOT, rules.own_uid) or not known.isdisjoint(rules.everything)
            return Rights(everything, everything or not known.isdisjoint(rules.reading), known)
        case _:
            assert_never(caller)


def listed_words(spec: ArbiterSpec, watchers: Iterable[WatcherSpec]) -> Iterator[str]:
    """Yield every word of every list, to see whether the machine knows whom it means."""
    yield from sorted(rules_of(spec, ROOT).words)
    for watcher in watchers:
        yield from watcher.allow_users


def lets_others_in(spec: ArbiterSpec, watchers: Iterable[WatcherSpec]) -> bool:
    """Tell whether anybody else than the owner of the endpoint has reason to connect."""
    return bool(
        spec.allow_users
        or spec.allow_groups
        or spec.viewers
        or any(watcher.allow_users for watcher in watchers)
    )
