"""Names of users and groups become numbers.

Looked up at each use: an account made while the daemon runs is found, a renumbered one too.
"""

from __future__ import annotations

import grp
import os
import pwd
from functools import cache
from typing import NamedTuple

from cvec_circus_core.model.errors import SystemProblem


class UnknownAccount(SystemProblem):
    """A user or group that the machine does not have."""


class Identity(NamedTuple):
    """Whom a process runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def account_variables(uid: int) -> dict[str, str]:
    """Return what a login sets of an account; nothing for a number without an account."""
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return {}
    name = account.pw_name
    return {"HOME": account.pw_dir, "USER": name, "LOGNAME": name, "SHELL": account.pw_shell}


def uid_of(user: int | str) -> int:
    """Return a user's number."""
    number = _as_number(user)
    if number is not None:
        return number
    try:
        return pwd.getpwnam(str(user)).pw_uid
    except (KeyError, ValueError):
        raise UnknownAccount(f"there is no user named {user!r}") from None


def gid_of(group: int | str) -> int:
    """Return a group's number."""
    number = _as_number(group)
    if number is not None:
        return number
    try:
        return grp.getgrnam(str(group)).gr_gid
    except (KeyError, ValueError):
        raise UnknownAccount(f"there is no group named {group!r}") from None


def user_name(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def identity(user: int | str | None, group: int | str | None) -> Identity | None:
    """Return whom a process is to run as, with the user's further groups; None for no change.

    A user without a group gets the user's primary one. A group alone is the only one, where we are
    root and may say so.
    """
    if user is None and group is None:
        return None
    if user is None:
        gid = gid_of(group) if group is not None else os.getegid()
        # The other groups of root are none of a process that was to have this group.
        groups = (gid,) if os.geteuid() == 0 else tuple(os.getgroups())
        return Identity(os.geteuid(), gid, groups)
    uid = uid_of(user)
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        if group is None:
            raise UnknownAccount(
                f"user {uid} has no account that tells its group; give a group too"
            ) from None
        gid = gid_of(group)
        return Identity(uid, gid, (gid,))
    gid = account.pw_gid if group is None else gid_of(group)
    return Identity(uid, gid, tuple(os.getgrouplist(account.pw_name, gid)))


def _as_number(account: int | str) -> int | None:
    if isinstance(account, int):
        return account
    text = account.strip()
    return int(text) if text.isascii() and text.isdigit() else None


def words_for(uid: int) -> frozenset[str]:
    """Return every word by which a list may mean a user: name, number, and ``@`` with a group."""
    words = {str(uid)}
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return frozenset(words)
    words.add(account.pw_name)
    for gid in os.getgrouplist(account.pw_name, account.pw_gid):
        words.add(f"@{gid}")
        try:
            words.add(f"@{grp.getgrgid(gid).gr_name}")
        except KeyError:
            continue
    return frozenset(words)


def is_known(word: str) -> bool:
    """Tell whether a user, or a group after ``@``, is known to the machine; numbers always are."""
    try:
        gid_of(word[1:]) if word.startswith("@") else uid_of(word)
    except UnknownAccount:
        return False
    return True


@cache
def unmapped_uid() -> int | None:
    """Return the number that stands for all users whom a user namespace does not know."""
    try:
        with open("/proc/self/uid_map", "rb") as file:
            rows = [row.split() for row in file]
        with open("/proc/sys/kernel/overflowuid", "rb") as file:
            overflow = int(file.read())
    except (OSError, ValueError):
        return None
    return None if rows == [[b"0", b"0", b"4294967295"]] else overflow
