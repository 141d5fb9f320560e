"""Who may what: one table over all kinds of callers and lists."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.access import (
    Anybody,
    KeyHolder,
    KnownKey,
    LocalUser,
    PeerIdentity,
    Role,
    Stranger,
)
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.permission import lets_others_in, listed_words, rights_of, rules_of

DAEMON = 1000
ROOT, OWN, BOB = LocalUser(0), LocalUser(DAEMON), LocalUser(1001, pid=4711)
BOBS_WORDS = frozenset({"bob", "1001", "@staff", "@50"})
NOTHING = ArbiterSpec()

ALL, READS, NONE = "everything", "reading", "nothing"


@pytest.mark.parametrize(
    ("spec", "caller", "may"),
    [
        (NOTHING, ROOT, ALL),
        (NOTHING, OWN, ALL),
        (NOTHING, BOB, NONE),
        (NOTHING, Stranger("it was closed"), NONE),
        (NOTHING, Anybody("inproc"), ALL),
        (ArbiterSpec(allow_users=("bob",)), BOB, ALL),
        (ArbiterSpec(allow_users=("1001",)), BOB, ALL),
        (ArbiterSpec(allow_users=("@staff",)), BOB, ALL),
        (ArbiterSpec(allow_users=("staff",)), BOB, NONE),
        (ArbiterSpec(allow_users=("alice", "BOB", "01001", "@bob")), BOB, NONE),
        (ArbiterSpec(allow_groups=("staff",)), BOB, ALL),
        (ArbiterSpec(allow_groups=("@50",)), BOB, ALL),
        (ArbiterSpec(allow_groups=("bob", "1001")), BOB, NONE),
        (ArbiterSpec(endpoint_owner="bob"), BOB, ALL),
        (ArbiterSpec(endpoint_owner="1001"), BOB, ALL),
        (ArbiterSpec(endpoint_owner="alice"), BOB, NONE),
        (ArbiterSpec(viewers=("bob",)), BOB, READS),
        (ArbiterSpec(viewers=("@50",)), BOB, READS),
        (ArbiterSpec(viewers=("bob",), allow_users=("bob",)), BOB, ALL),
        (ArbiterSpec(insecure=True), BOB, NONE),
        (ArbiterSpec(allow_users=("bob",)), Stranger("it was closed"), NONE),
    ],
)
def test_what_a_caller_may(spec: ArbiterSpec, caller: PeerIdentity, may: str) -> None:
    words = BOBS_WORDS if caller is BOB else ()
    rights = rights_of(rules_of(spec, DAEMON), caller, words)
    assert (rights.everything, rights.reading) == (may == ALL, may != NONE)


@pytest.mark.parametrize(
    ("listed", "may"),
    [((), False), (("bob",), True), (("@staff",), True), (("alice", "@wheel"), False)],
)
def test_who_may_operate_a_watcher(listed: tuple[str, ...], may: bool) -> None:
    assert rights_of(rules_of(NOTHING, DAEMON), BOB, BOBS_WORDS).may_operate(listed) is may
    assert rights_of(rules_of(NOTHING, DAEMON), OWN).may_operate(listed)
    assert not rights_of(rules_of(NOTHING, DAEMON), Stranger("")).may_operate(listed)


def test_all_words_of_all_lists_are_known() -> None:
    spec = ArbiterSpec(allow_users=("a",), allow_groups=("b",), viewers=("c",), endpoint_owner="d")
    web = WatcherSpec(name="web", allow_users=("e",))
    assert set(listed_words(spec, [web])) == {"a", "@b", "c", "d", "e"}


@pytest.mark.parametrize(
    ("spec", "watchers", "others"),
    [
        (NOTHING, [WatcherSpec(name="web")], False),
        (ArbiterSpec(endpoint_owner="bob"), [], False),
        (ArbiterSpec(allow_users=("bob",)), [], True),
        (ArbiterSpec(allow_groups=("staff",)), [], True),
        (ArbiterSpec(viewers=("bob",)), [], True),
        (NOTHING, [WatcherSpec(name="web", allow_users=("bob",))], True),
    ],
)
def test_whether_others_have_reason_to_connect(
    spec: ArbiterSpec, watchers: list[WatcherSpec], others: bool
) -> None:
    assert lets_others_in(spec, watchers) is others


KEYS = {
    role.value: KnownKey(name, role, role.value)
    for name, role in (("olga", Role.OPERATOR), ("vera", Role.VIEWER), ("gus", Role.GUEST))
}


@pytest.mark.parametrize(
    ("spec", "key", "may"),
    [
        (NOTHING, "operator", ALL),
        (NOTHING, "viewer", READS),
        (NOTHING, "guest", NONE),
        (NOTHING, "another", NONE),
        (ArbiterSpec(allow_users=("key:gus",)), "guest", ALL),
        (ArbiterSpec(viewers=("key:gus",)), "guest", READS),
        (ArbiterSpec(allow_users=("gus", "guest", "0")), "guest", NONE),
        (ArbiterSpec(allow_users=("key:another",)), "another", NONE),
        (ArbiterSpec(insecure=True), "another", NONE),
    ],
)
def test_what_the_holder_of_a_key_may(spec: ArbiterSpec, key: str, may: str) -> None:
    rights = rights_of(rules_of(spec, DAEMON, KEYS), KeyHolder(key, "10.0.0.2"))
    assert (rights.everything, rights.reading) == (may == ALL, may != NONE)


@pytest.mark.parametrize(
    ("key", "listed", "may"),
    [
        ("guest", ("key:gus",), True),
        ("guest", ("gus",), False),
        ("viewer", ("key:gus",), False),
        ("operator", (), True),
        ("another", ("key:another", "key:"), False),
    ],
)
def test_a_watcher_lists_holders_of_keys(key: str, listed: tuple[str, ...], may: bool) -> None:
    rights = rights_of(rules_of(NOTHING, DAEMON, KEYS), KeyHolder(key, "10.0.0.2"))
    assert rights.may_operate(listed) is may


def test_a_holder_of_a_key_is_no_reason_to_let_users_in() -> None:
    assert not lets_others_in(ArbiterSpec(viewers=("key:gus",)), ())
