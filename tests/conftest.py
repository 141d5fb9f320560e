"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

# How long an example takes says something about the machine's other work, nothing about us.
settings.register_profile("all", deadline=None, print_blob=True)
settings.load_profile("all")

# A shell without job control lets what it starts in the background ignore SIGINT. The programs
# that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
