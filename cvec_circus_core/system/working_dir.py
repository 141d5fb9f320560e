"""The folder that we are in, by the name under which it was entered.

The kernel knows the folder itself. Where a shell came to it through a symbolic link, such as one to
the release that is in force, ``PWD`` has the name with the link in it, and a later look by that
name finds where the link leads then. So files with a relative name are those of the release that is
in force when they are opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache


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


def remember_entrance() -> None:
    """Look by which link we came here, before it leads elsewhere."""
    _at_first()


def by_name(path: str) -> str:
    """Return an absolute path, through the link by which this program came to its folder.

    As long as it has not gone to another one: then it is a path from there.
    """
    entrance, folder = _at_first()
    try:
        is_there = os.getcwd() == folder
    except OSError:
        is_there = True  # The release is gone; where the link leads now is what is meant.
    return os.path.join(entrance, path) if entrance and is_there else os.path.abspath(path)


@cache
def _at_first() -> tuple[str | None, str | None]:
    """Return by which link we came to our folder, and the folder; asked before the link changes."""
    try:
        return entered_through(os.environ), os.getcwd()
    except OSError:
        return None, None
