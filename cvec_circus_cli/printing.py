"""How a reply is printed: plainly, as JSON, or as a table on a terminal.

With --json there is one document on standard output, whatever happens; sentences for people go to
standard error besides, unless they are the daemon's.

Plain lines are what scripts read: they never change with the terminal's width or taste.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import Command


def is_error(reply: Mapping[str, Any]) -> bool:
    """Tell whether the daemon refused; any other status is a result."""
    return reply.get("status") == "error"


class Page:
    """Prints the replies about several watchers: each as it comes, or one object at the end."""

    def __init__(self, settings: Settings, command: Command) -> None:
        self._settings = settings
        self._command = command
        self._told: dict[str, Mapping[str, Any]] = {}

    def add(self, name: str, reply: Mapping[str, Any]) -> int:
        """Print the reply about this watcher and return the exit code for it."""
        self._told[name] = reply
        if self._settings.is_json:
            return exit_codes.REFUSED if is_error(reply) else exit_codes.OK
        return print_reply(self._settings, self._command, reply, f"{name}: ")

    def add_failure(self, name: str, told: Mapping[str, Any]) -> None:
        """Take what stands for a reply that did not come."""
        self._told[name] = told

    def end(self) -> None:
        """Print what is left to print."""
        if self._settings.is_json:
            print(json_text(self._settings, self._told))


def print_reply(
    settings: Settings, command: Command, reply: Mapping[str, Any], label: str = ""
) -> int:
    """Print one reply and return the exit code for it.

    ``label`` names what the reply is about, where several are printed.
    """
    if settings.is_json:
        print(json_text(settings, reply))
        return exit_codes.REFUSED if is_error(reply) else exit_codes.OK
    if is_error(reply):
        complain(f"error: {label}{reply.get('reason') or 'the daemon gave no reason'}")
        return exit_codes.REFUSED
    print(label + _text(settings, command, reply))
    return exit_codes.OK


def fail(settings: Settings, code: int, reason: object, sentence: str = "", **more: Any) -> int:
    """Tell why there is no reply, as JSON too where that is wanted, and return the exit code.

    ``sentence`` is for people, where it is not just the reason; ``more`` is for programs.
    """
    complain(sentence or f"circusctl: {reason}")
    if settings.is_json:
        print(json_text(settings, failure(code, reason, **more)))
    return code


def failure(code: int, reason: object, **more: Any) -> dict[str, Any]:
    """Return what stands for a reply where there is none."""
    return {"status": "error", "reason": str(reason), "exit_code": code, **more}


def complain(sentence: str) -> None:
    """Print something on standard error."""
    sys.stdout.flush()
    print(sentence, file=sys.stderr)


def json_text(settings: Settings, content: Any) -> str:
    """Return JSON on one line, or indented where that was asked for."""
    import json

    if not settings.prettify:
        return json.dumps(content)
    text = json.dumps(content, indent=2, sort_keys=True)
    if settings.colourless or not sys.stdout.isatty():
        return text
    from cvec_circus_cli.tables import coloured_json

    return coloured_json(text)


def _text(settings: Settings, command: Command, reply: Mapping[str, Any]) -> str:
    if sys.stdout.isatty():
        from cvec_circus_cli.tables import table

        text = table(command.name, reply, colours=not settings.colourless)
        if text is not None:
            return text
    return command.show(reply)
