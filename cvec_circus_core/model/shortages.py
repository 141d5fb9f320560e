"""What the machine has run out of, where that is why something could not be done."""

from __future__ import annotations

import errno

_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_NO_THREAD = "can't start new thread"
"""How Python says it, in an error that has no number."""


def shortage_of(error: BaseException) -> str | None:
    """Return a sentence for an error of Python's own that means a shortage; None for any other."""
    if isinstance(error, MemoryError):
        return "this daemon gets no more memory (limit as, or the machine's)"
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return "this daemon gets no more threads (limit nproc or as, or the machine's)"
    return None


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, is a shortage: the program is not at fault."""
    cause: BaseException | None = error
    while cause is not None:
        if shortage_of(cause) or (isinstance(cause, OSError) and cause.errno in _ERRNOS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
