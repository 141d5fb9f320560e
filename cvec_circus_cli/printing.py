"""How a reply is printed: plainly, as JSON, or as a table on a terminal.

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


def print_reply(
    settings: Settings, command: Command, reply: Mapping[str, Any], label: str = ""
) -> int:
    """Print one reply and return the exit code for it.

    ``label`` names what the reply is about, where several are printed.
    """
    if settings.json or settings.prettify:
        print(json_text(settings, reply))
        return exit_codes.REFUSED if is_error(reply) else exit_codes.OK
    if is_error(reply):
        complain(f"error: {label}{reply.get('reason') or 'the daemon gave no reason'}")
        return exit_codes.REFUSED
    print(label + _text(settings, command, reply))
    return exit_codes.OK


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
