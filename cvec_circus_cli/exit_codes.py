"""How circusctl ends, told by a number."""

from __future__ import annotations

OK = 0
NO_ANSWER = 1
"""Nobody answered, or the caller interrupted."""
USAGE = 2
"""The words on the command line can not be understood."""
REFUSED = 3
"""The daemon answered with an error, or tells of something that has failed."""
STILL_RUNNING = 4
"""It was asked to wait, and the time was over while the daemon was still at work."""
