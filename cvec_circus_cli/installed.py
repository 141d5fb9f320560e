"""All commands that are installed, no matter who brings them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import metadata

from cvec_circus_cli.export_manual import EXPORT_MANUAL
from cvec_circus_cli.import_manual import IMPORT_MANUAL
from cvec_circus_cli.key_manuals import KEY_MANUALS
from cvec_circus_core.api import Command

GROUP = "cvec_circus.commands"

OF_CIRCUSCTL = {
    "help": """Show the manual of a command, or the list of all

usage: circusctl help [COMMAND]""",
    "completion": """Print the completion script for bash, zsh or fish

usage: circusctl completion bash|zsh|fish

Commands, switches, watchers, pids, options and signals are completed; names and pids are those of
the daemon that the line means by --endpoint or $CIRCUSCTL_ENDPOINT. For the running shell::

    bash, zsh:  source <(circusctl completion SHELL)
    fish:       circusctl completion fish | source

The same line in ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish makes it last.""",
    "export": EXPORT_MANUAL,
    "import": IMPORT_MANUAL,
    **KEY_MANUALS,
}
"""Manuals of the commands that circusctl does alone; the first line is the summary."""


def entry_points() -> Mapping[str, metadata.EntryPoint]:
    """Return the entry points of all commands by name, ours before others of the same name."""
    entries = sorted(metadata.entry_points(group=GROUP), key=_is_ours)
    return {entry.name: entry for entry in entries}


def load(entry: metadata.EntryPoint) -> Command | str:
    """Return a command, or the reason why it can not be used."""
    try:
        loaded = entry.load()
    except Exception as error:
        return f"{entry.value} does not load ({type(error).__name__}: {error})"
    if not (isinstance(loaded, type) and issubclass(loaded, Command)):
        return f"{entry.value} is not a Command"
    return loaded()


def summaries() -> dict[str, str]:
    """Return every command's summary by name; of a broken one, what is wrong with it."""
    lines = {name: text.partition("\n")[0] for name, text in OF_CIRCUSCTL.items()}
    for name, entry in entry_points().items():
        loaded = load(entry)
        lines[name] = f"[broken] {loaded}" if isinstance(loaded, str) else summary(loaded)
    return dict(sorted(lines.items()))


def summary(command: Command) -> str:
    """Return the first line of a command's manual."""
    return (type(command).__doc__ or "").strip().partition("\n")[0].rstrip(".")


OTHER_PROGRAMS = {"top": "circus-top", "monit": "circus-top", "check": "circusd --check FILE"}
"""What other tools have as a command, and is a program here."""


def unknown(name: str, names: Iterable[str]) -> str:
    """Return the sentence that there is no such command, with what may have been meant."""
    if name in OTHER_PROGRAMS:
        return f"unknown command: {name!r}; that is a program of its own: {OTHER_PROGRAMS[name]}"
    if (words := _word_here(name)) is not None:
        return f"unknown command: {name!r}; here it is {words}"
    near = difflib.get_close_matches(name, [*names, *OF_CIRCUSCTL], n=3)
    if not near:
        return f"unknown command: {name!r}"
    return f"unknown command: {name!r}; did you mean {' or '.join(near)}?"


def _word_here(name: str) -> str | None:
    """Return what is typed here for a word of another tool."""
    for entry in entry_points().values():
        command = load(entry)
        if not isinstance(command, str) and name in command.other_names:
            return command.other_names[name]
    return None


def _is_ours(entry: metadata.EntryPoint) -> bool:
    return entry.value.startswith("cvec_circus_plugins.")
