"""What a child may do less than we: capabilities, set-user-ID programs, and its place when memory
is short.

Five sets of capabilities take part (capabilities(7)). What can ever be had is the *bounding* set,
and giving up of it needs setpcap, so it happens before the user changes. A user other than root
loses everything at that moment unless it is told to *keep*; what it keeps passes exec only if it is
*inheritable* and *ambient*. So what a watcher names reaches its processes no matter who they run
as, and nothing that they run can have more.

`plan_privileges` looks at all that can be known before the fork; in the child, `Privileges` only
acts, and a refusal there is an OSError.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from typing import NamedTuple

from cvec_circus_core.model.capability_set import NAMES, Capabilities
from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.accounts import Identity

_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPSET_VERSION_3 = 0x20080522
_SETPCAP = 1 << NAMES.index("setpcap")
_SCORE = "/proc/self/oom_score_adj"

_libc = ctypes.CDLL(None, use_errno=True)


class _Sets(NamedTuple):
    """Our own capabilities, as masks of bits."""

    inheritable: int
    permitted: int
    effective: int
    bounding: int


class _Change(NamedTuple):
    """The sets that a child is to have."""

    bounding_drops: tuple[int, ...]
    permitted: int
    inheritable: int
    ambient: tuple[int, ...]
    keeps_over_setuid: bool


class Privileges(NamedTuple):
    """What the child does about its rights, in two parts: the user changes between them."""

    oom_score_adj: int | None
    no_new_privs: bool
    change: _Change | None
    death_signal: int | None = None
    """What the kernel sends when the parent is gone."""
    parent: int = 0

    def before_identity(self) -> None:
        """Do what only root may. Raises OSError."""
        if self.oom_score_adj is not None:
            score = os.open(_SCORE, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(score, b"%d" % self.oom_score_adj)
            finally:
                os.close(score)
        if self.change is not None:
            for number in self.change.bounding_drops:
                _prctl(_PR_CAPBSET_DROP, number)
            if self.change.keeps_over_setuid:
                _prctl(_PR_SET_KEEPCAPS, 1)

    def after_identity(self) -> None:
        """Do what holds for good. Raises OSError."""
        if self.change is not None:
            _capset(self.change.permitted, self.change.inheritable)
            for number in self.change.ambient:
                _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)
        if self.no_new_privs:
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if self.death_signal is not None:
            # Last of all: the kernel forgets it when a process changes its user.
            _prctl(_PR_SET_PDEATHSIG, self.death_signal)
            if os.getppid() != self.parent:
                os.kill(os.getpid(), self.death_signal)


def plan_privileges(plan: LaunchPlan, who: Identity | None) -> Privileges | None:
    """Return what a child has to do; None where nothing. Raises `CannotSpawn`."""
    requests = (plan.capabilities, plan.oom_score_adj, plan.death_signal)
    if requests == (None, None, None) and not plan.no_new_privs:
        return None
    if not sys.platform.startswith("linux"):
        raise CannotSpawn("no_new_privs, capabilities, oom_score_adj, death_signal need Linux")
    change = _change(plan.capabilities, who) if plan.capabilities is not None else None
    return Privileges(plan.oom_score_adj, plan.no_new_privs, change, plan.death_signal, os.getpid())


def _change(wanted: Capabilities, who: Identity | None) -> _Change:
    own = _own_sets()
    kept = _mask(number for number in range(own.bounding.bit_length()) if wanted.keeps(number))
    named_mask = _mask(wanted.given)
    drops = tuple(_numbers(own.bounding & ~kept))
    if drops and not own.effective & _SETPCAP:
        raise CannotSpawn(
            f"capabilities = {wanted}: only root may take capabilities from a process "
            "(this daemon has no setpcap); no_new_privs works for every user"
        )
    lacking = [NAMES[number] for number in _numbers(named_mask & ~own.permitted)]
    if lacking:
        raise CannotSpawn(
            f"capabilities = {wanted}: this daemon has no {', '.join(lacking)} itself"
        )
    uid = os.geteuid() if who is None else who.uid
    leaves_root = uid != 0 and uid != os.geteuid()
    return _Change(
        bounding_drops=drops,
        permitted=named_mask if leaves_root else own.permitted & kept,
        inheritable=own.inheritable & kept | named_mask,
        ambient=tuple(_numbers(named_mask)) if uid != 0 else (),
        keeps_over_setuid=leaves_root and bool(named_mask),
    )


def _own_sets() -> _Sets:
    masks: dict[bytes, int] = {}
    with open("/proc/thread-self/status", "rb") as status:
        for line in status:
            if line.startswith(b"Cap"):
                key, _, value = line.partition(b":")
                masks[key] = int(value, 16)
    return _Sets(masks[b"CapInh"], masks[b"CapPrm"], masks[b"CapEff"], masks[b"CapBnd"])


def _mask(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _numbers(mask: int) -> list[int]:
    return [number for number in range(mask.bit_length()) if mask >> number & 1]


def _prctl(*arguments: int) -> None:
    padded = (*arguments, 0, 0, 0, 0)[:5]
    if _libc.prctl(*(ctypes.c_ulong(argument) for argument in padded)) != 0:
        raise _refusal("prctl")


def _capset(permitted: int, inheritable: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPSET_VERSION_3, 0)
    halves = [
        part
        for shift in (0, 32)
        for part in (permitted >> shift, permitted >> shift, inheritable >> shift)
    ]
    data = (ctypes.c_uint32 * 6)(*(half & 0xFFFFFFFF for half in halves))
    if _libc.capset(header, data) != 0:
        raise _refusal("capset")


def _refusal(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
