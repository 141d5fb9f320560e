"""The daemon's program, and what others use of it."""

from __future__ import annotations

import os
import resource
from os import closerange

from circus.util import configure_logger
from cvec_circus_cli.circusd import main
from cvec_circus_core.system.daemonize import daemonize as _daemonize

__all__ = ["MAXFD", "closerange", "configure_logger", "daemonize", "get_maxfd", "main"]

MAXFD = 1024
REDIRECT_TO = os.devnull


def daemonize() -> None:
    """Go to the background: the caller's process ends, and a new one goes on here."""
    _daemonize().ready()


def get_maxfd() -> int:
    """Return the number of files that may be open at once."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MAXFD if most == resource.RLIM_INFINITY else most


if __name__ == "__main__":
    main()
