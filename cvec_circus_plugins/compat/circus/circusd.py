"""The daemon's program, and what others use of it."""

from __future__ import annotations

import resource
import sys
from os import closerange
from typing import NoReturn

from circus.util import MAXFD, REDIRECT_TO, configure_logger
from cvec_circus_cli.circusd import main as _main
from cvec_circus_core.system.daemonize import daemonize as _daemonize

__all__ = [
    "MAXFD",
    "REDIRECT_TO",
    "closerange",
    "configure_logger",
    "daemonize",
    "get_maxfd",
    "main",
]


def main() -> NoReturn:
    """Run the daemon by the words of the command line. Raises `SystemExit` at its end."""
    sys.exit(_main())


def daemonize() -> None:
    """Go to the background: the caller's process ends, and a new one goes on here."""
    _daemonize().ready()


def get_maxfd() -> int:
    """Return the number of files that may be open at once."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MAXFD if most == resource.RLIM_INFINITY else most


if __name__ == "__main__":
    main()
