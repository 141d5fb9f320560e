"""Spawn tags: what a process and all its descendants carry, whatever they do (Linux).

A resource limit is inherited through fork, exec, setsid, a change of user and a cleaned environment
alike. RLIMIT_LOCKS has meant nothing to the kernel since Linux 2.4 and is still carried along, so
its soft limit is a place for a number: the one of the spawn that a tree began with. Anybody may
read it in /proc. A tag costs two system calls per spawn, a hundredth of what a control group does.

A program may set the limit anew, and is then found by its session and its parents alone. Nothing
that works depends on it: the number is far above any count of locks.
"""

from __future__ import annotations

import os
import resource

from cvec_circus_core.system.proc import HAS_PROC, read_or_none

_LOCKS = 10
"""RLIMIT_LOCKS; Python has no name for it."""
_FIRST = 1 << 62
_SERIALS = 32
_FIELD = b"Max file locks"


class SpawnTags:
    """Numbers for trees: no two of them alike, in this daemon or one that it runs."""

    def __init__(self) -> None:
        self._next = _FIRST | int.from_bytes(os.urandom(4)) >> 4 << _SERIALS
        self._are_usable = _are_kept()

    def new(self) -> int | None:
        """Return the tag of a tree that is about to begin; None where nobody can be tagged."""
        if not self._are_usable:
            return None
        self._next += 1
        return self._next


class TagCarriers:
    """Carry a tag for a moment, so that the child that is started in it has it from birth.

    It is on the way of each spawn, so no generator.
    """

    __slots__ = ("_tag", "_usual")

    def __init__(self, tag: int | None) -> None:
        self._tag = tag

    def __enter__(self) -> None:
        if self._tag is not None:
            self._usual = resource.getrlimit(_LOCKS)
            resource.setrlimit(_LOCKS, (self._tag, self._usual[1]))

    def __exit__(self, *_: object) -> None:
        if self._tag is not None:
            resource.setrlimit(_LOCKS, self._usual)


def tag_of(pid: int) -> int | None:
    """Return the tag that a process carries, if any."""
    text = read_or_none(pid, "limits")
    if text is None:
        return None
    words = text[text.find(_FIELD) + len(_FIELD) :].split(None, 1)
    tag = int(words[0]) if words and words[0].isdigit() else 0
    return tag if tag >= _FIRST else None


def drop_tag() -> None:
    """Carry no tag any more: we are no part of the tree that we began in."""
    if tag_of(os.getpid()) is not None:
        hard = resource.getrlimit(_LOCKS)[1]
        resource.setrlimit(_LOCKS, (hard, hard))


def daemon_of(tag: int) -> int:
    """Return what all tags of one daemon have in common."""
    return tag >> _SERIALS


def _are_kept() -> bool:
    if not HAS_PROC:
        return False
    try:
        with TagCarriers(_FIRST):
            return resource.getrlimit(_LOCKS)[0] == _FIRST
    except (OSError, ValueError):
        return False
