"""The log of a daemon in the background of which nobody has said where it goes.

Its standard error leads nowhere, so the log gets a file: in XDG_STATE_HOME where that is set, in
``/var/log`` where that may be written, else in the user's own folder for such files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.files import open_append

_OF_THE_SYSTEM = "/var/log"
_ODD = re.compile(r"[^\w.-]+")


def default_log(config: str, environ: Mapping[str, str]) -> str | None:
    """Return a log file for the daemon of this configuration; None where none can be made."""
    name, _ = os.path.splitext(os.path.basename(config))
    file = f"circusd-{_ODD.sub('-', name)}.log"
    for folder in _folders(environ):
        path = os.path.join(folder, file)
        try:
            os.makedirs(folder, mode=0o755, exist_ok=True)
            os.close(open_append(path))
        except (OSError, SystemProblem):
            continue
        return path
    return None


def _folders(environ: Mapping[str, str]) -> Iterator[str]:
    own = environ.get("XDG_STATE_HOME", "")
    if not own and os.access(_OF_THE_SYSTEM, os.W_OK):
        yield _OF_THE_SYSTEM
    own = own or os.path.expanduser("~/.local/state")
    if os.path.isabs(own):
        yield os.path.join(own, "circus")
