"""A worker that does nothing but be there, and say so once."""

from __future__ import annotations

import signal
import sys

print(f"worker {' '.join(sys.argv[1:])} is there")
signal.pause()
