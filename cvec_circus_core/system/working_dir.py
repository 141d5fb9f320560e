"""The folder that we are in, by the name under which it was entered.

The kernel knows the folder itself. Where a shell came to it through a symbolic link, such as one to
the release that is in force, ``PWD`` has the name with the link in it, and a later look by that
name finds where the link leads then.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def entered_through(environ: Mapping[str, str]) -> str | None:
    """Return the name in ``PWD`` if it is our folder's and has a link in it."""
    name = environ.get("PWD", "")
    try:
        folder = os.getcwd()
        is_ours = os.path.isabs(name) and os.path.samefile(name, folder)
    except (OSError, ValueError):
        return None
    return name if is_ours and os.path.normpath(name) != folder else None


def by_entrance(path: str, environ: Mapping[str, str]) -> str:
    """Return a path that leads through the link where we came through one, as it is otherwise."""
    entrance = entered_through(environ)
    return path if entrance is None else os.path.join(entrance, path)
