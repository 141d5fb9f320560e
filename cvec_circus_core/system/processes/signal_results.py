"""What came of signals that were sent, in the words of the port."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from cvec_circus_core.system.protocols import SignalResult


def signal_all(targets: Iterable[Callable[[], bool]], pid: int, signum: int) -> SignalResult:
    """Signal each; one that refuses does not keep the others from getting it."""
    was_there, problem = False, ""
    for target in targets:
        try:
            was_there |= target()
        except ProcessLookupError:
            continue
        except (OSError, ValueError) as error:
            problem = problem or _refusal(pid, signum, error)
    return SignalResult(was_there, problem)


def _refusal(pid: int, signum: int, error: OSError | ValueError) -> str:
    number = getattr(error, "errno", errno.EINVAL)
    if number == errno.EINVAL:
        return f"there is no signal {signum}"
    if number == errno.EPERM:
        return f"process {pid} belongs to another user, who does not let us signal it"
    return f"process {pid} can not be signalled: {os.strerror(number).lower()}"
