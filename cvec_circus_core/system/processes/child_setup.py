"""What a child does between fork and exec, where Python has to run: no locks, logging, imports."""

from __future__ import annotations

import os
import resource
import signal
from typing import NamedTuple

from cvec_circus_core.system.accounts import Identity
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.listen_fds import ListenFds
from cvec_circus_core.system.processes.privileges import Privileges

Limits = tuple[tuple[int, tuple[int, int]], ...]
"""Numbers of resource limits, with the soft and the hard one."""


class ChildSetup(NamedTuple):
    """The steps in their order.

    The group is entered, limits are set and rights given up before the identity changes, because
    only root may.
    """

    who: Identity | None
    limits: Limits = ()
    signals: tuple[int, ...] = ()
    entrance: int | None = None
    rights: Privileges | None = None
    last: ListenFds | None = None

    def __call__(self) -> None:
        hand_over = None if self.last is None else self.last.prepare()
        if self.entrance is not None:
            _enter(self.entrance)
        if nofile.is_raised:
            nofile.restore_here()
        for number, limit in self.limits:
            resource.setrlimit(number, limit)
        if self.rights is not None:
            self.rights.before_identity()
        if self.who is not None:
            os.setgroups(self.who.groups)
            os.setregid(self.who.gid, self.who.gid)
            os.setreuid(self.who.uid, self.who.uid)
        if self.rights is not None:
            self.rights.after_identity()
        for signum in self.signals:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if hand_over is not None:
            hand_over()


def _enter(entrance: int) -> None:
    try:
        os.write(entrance, b"0")
    except OSError:
        return  # whether it is inside is looked at afterwards (cgroups.py)
