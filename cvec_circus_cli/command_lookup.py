"""Where commands are found.

One of ours is in the file of its name, which is all that is loaded to run it. Those that other
packages bring are found by entry point, which takes longer.
"""

from __future__ import annotations

from importlib import import_module

from cvec_circus_core.api import Command

OURS = "cvec_circus_plugins.commands"


class UnknownName(Exception):
    """There is no such command; the text says so and names those that look alike."""


class BrokenCommand(Exception):
    """The command's package can not be loaded; the text says why."""


def find(name: str) -> Command:
    """Return the command of this name, in any case. Raises UnknownName, BrokenCommand."""
    key = name.lower()
    return _ours(key) or _from_entry_points(key)


def _ours(name: str) -> Command | None:
    if not name.isidentifier() or name.startswith("_"):
        return None
    module = f"{OURS}.{name}"
    try:
        members = vars(import_module(module))
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    for member in members.values():
        if isinstance(member, type) and issubclass(member, Command) and member.name == name:
            return member()
    return None


def _from_entry_points(name: str) -> Command:
    from cvec_circus_cli import installed  # reads the list of all packages

    entry_points = installed.entry_points()
    if name not in entry_points:
        raise UnknownName(installed.unknown(name, entry_points))
    loaded = installed.load(entry_points[name])
    if isinstance(loaded, str):
        raise BrokenCommand(f"the command {name} can not be used: {loaded}")
    return loaded
