"""Standard streams that the caller has closed (``circusd 2>&-``) lead to /dev/null.

Else the first file that is opened takes the number of one, and gets what was meant for it.
"""

from __future__ import annotations

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def open_missing_streams() -> None:
    """Open those of the descriptors 0 to 2 that are closed; what a program does first of all."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given out: those below are open by now.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            # Python has found it closed when it started.
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open
