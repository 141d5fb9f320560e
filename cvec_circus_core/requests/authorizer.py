"""Who a caller is to the accounts of this machine, and what they may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from cvec_circus_core.model.access import (
    INSIDE,
    Anybody,
    Caller,
    KeyHolder,
    KnownKey,
    LocalUser,
    PeerIdentity,
    Stranger,
)
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.policy.permission import ROOT, Rules, rights_of, rules_of
from cvec_circus_core.system.accounts import user_name, words_for
from cvec_circus_core.system.protocols import Clock

KEPT = 10.0
"""Seconds for which the lists of accounts are not read again for the same user."""


class Authorizer:
    """Judges callers by the daemon's options, and by its list of keys, as they are now."""

    def __init__(self, spec: Callable[[], ArbiterSpec], own_uid: int, clock: Clock) -> None:
        self.keys: Mapping[str, KnownKey] = {}
        """Those who are let in by key. To be replaced, never changed."""
        self._spec = spec
        self._own_uid = own_uid
        self._clock = clock
        self._read: tuple[ArbiterSpec, Mapping[str, KnownKey], Rules] | None = None
        self._accounts: dict[int, tuple[str, frozenset[str]]] = {}
        self._accounts_until = 0.0

    def __call__(self, identity: PeerIdentity) -> Caller:
        """Return the caller with a name and rights."""
        rules = self._rules()
        match identity:
            case LocalUser(uid):
                name, words = self._account(uid)
                return Caller(identity, f"user {name!r}", rights_of(rules, identity, words))
            case KeyHolder(key):
                holder = rules.keys.get(key)
                name = f"key {holder.name!r}" if holder else "an unknown key"
                return Caller(identity, name, rights_of(rules, identity))
            case Anybody(where):
                name = "a thread of the daemon" if identity == INSIDE else f"anybody ({where})"
                return Caller(identity, name, rights_of(rules, identity))
            case Stranger():
                return Caller(identity, "a stranger", rights_of(rules, identity))
            case _:
                assert_never(identity)

    def _rules(self) -> Rules:
        spec = self._spec()
        if self._read is None or self._read[0] is not spec or self._read[1] is not self.keys:
            self._read = spec, self.keys, rules_of(spec, self._own_uid, self.keys)
        return self._read[2]

    def _account(self, uid: int) -> tuple[str, frozenset[str]]:
        now = self._clock.now()
        if now >= self._accounts_until:
            self._accounts.clear()
            self._accounts_until = now + KEPT
        account = self._accounts.get(uid)
        if account is None:
            # Those who may do everything anyway need no list of their groups.
            words = frozenset[str]() if uid in (ROOT, self._own_uid) else words_for(uid)
            account = self._accounts[uid] = user_name(uid), words
        return account
