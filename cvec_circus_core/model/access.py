"""Who calls, and what a caller may: the nouns (the judgement is in `policy/permission.py`).

A caller is known by the kernel's word or by a key, never by what the message says. A caller who can
not be told apart is a `Stranger`, and a stranger may nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from cvec_circus_core.model.errors import Errno, RequestError, UnknownWatcher
from cvec_circus_core.model.values import Struct

GROUP_MARK = "@"
"""What stands before the name of a group where users are listed."""

KEY_MARK = "key:"
"""What stands before the name of a key's holder there."""


ACCESS = (
    *("endpoint_owner", "allow_users", "allow_groups", "viewers", "insecure"),
    *("curve_key", "curve_authorized"),
)
"""The options of the daemon that say who may read."""


class Role(Enum):
    """What the holder of a key may."""

    OPERATOR = "operator"
    """Everything, as the daemon's own user may."""
    VIEWER = "viewer"
    """Look, and hear events and statistics."""
    GUEST = "guest"
    """Only what the ``allow_users`` of a watcher lets them, as ``key:NAME``."""


class KnownKey(Struct, frozen=True):
    """One key that is let in."""

    name: str
    role: Role
    key: str


class LocalUser(Struct, frozen=True):
    """A process of this machine. Over TCP the kernel tells its user, but not its pid."""

    uid: int
    pid: int | None = None


class KeyHolder(Struct, frozen=True):
    """A caller who has proven to hold a key (CURVE), and the address of the connection."""

    key: str
    address: str


class Anybody(Struct, frozen=True):
    """A caller at an endpoint that is open on purpose: ``inproc``, or one that is insecure."""

    where: str


INSIDE = Anybody("inside the daemon")
"""A thread of the daemon, such as that of a plugin; nobody else reaches its ``inproc`` endpoint."""


class Stranger(Struct, frozen=True):
    """A caller who could not be told apart, and why."""

    why: str


PeerIdentity = LocalUser | KeyHolder | Anybody | Stranger


class Person(Struct, frozen=True):
    """Who has signed in at a program that asks on their behalf, and what they may there."""

    name: str
    role: Role


class SignedIn(Struct, frozen=True):
    """A person whom a program has signed in, such as the web console, and that program."""

    person: Person
    program: PeerIdentity
    program_name: str
    """What the program's caller is called."""


Identity = PeerIdentity | SignedIn


class Rights(Struct, frozen=True):
    """What a caller may: everything, or read, or act on the watchers that list them."""

    everything: bool = False
    reading: bool = False
    words: frozenset[str] = frozenset()
    """All words by which a list may mean this caller: name, number, @group, or key:name."""

    @property
    def any(self) -> bool:
        """Whether they may do anything at all, or at least may be listed somewhere."""
        return self.everything or self.reading or bool(self.words)

    def may_operate(self, listed: Iterable[str]) -> bool:
        """Tell whether they may act on a watcher whose allow_users are these."""
        return self.everything or not self.words.isdisjoint(listed)


class Caller(Struct, frozen=True):
    """A caller with a name for people and with rights, worked out once per connection."""

    identity: Identity
    name: str
    rights: Rights


Authorize = Callable[[PeerIdentity], Caller]
"""Tells what a caller may. May look into the lists of accounts, so its answer is kept."""


class NotAllowed(RequestError):
    """The caller is known or not, and in either case may not do this."""

    errno = Errno.NOT_ALLOWED


class NotForYou(NotAllowed, UnknownWatcher):
    """A watcher that is not there for the caller, whether it is there or not."""

    def __init__(self, name: str, refusal: NotAllowed) -> None:
        RequestError.__init__(self, str(refusal))
        self.name = name
