"""Where the commands of the tests come from."""

from __future__ import annotations

from importlib import import_module

from cvec_circus_core.extend.command import Command


def command(name: str) -> Command:
    """Return the command in the file of this name."""
    module = import_module(f"cvec_circus_plugins.commands.{name}")
    (found,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Command) and one.name == name
    )
    return found()
