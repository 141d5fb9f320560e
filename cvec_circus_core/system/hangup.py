"""Programs that go on when the terminal that they were started in is gone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hangups_ignored() -> Iterator[None]:
    """Let programs that are started meanwhile ignore SIGHUP; only the main thread can say so.

    ``ssh -f`` needs it: its first process leads the session of its terminal, and the end of that
    one hangs up on the second, which has perhaps not left that session yet.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL if before is None else before)
