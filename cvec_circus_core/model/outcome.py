"""What became of a wish: the ticket's answer."""

from __future__ import annotations

from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.values import Struct


class Done(Struct, frozen=True):
    """The wish came true.

    The lists hold pids: of processes that ended, that were started, and that were there before and
    still are. ``numprocesses`` is the number wanted at that moment.
    """

    stopped: tuple[int, ...] = ()
    started: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    numprocesses: int = 0


class Failed(Struct, frozen=True):
    """The wish will not come true."""

    error: CircusError


Outcome = Done | Failed
