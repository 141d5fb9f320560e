"""One command from words to exit code: found, read, sent, printed.

The command line and the interactive shell both end here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import HelpWanted, Line, UsageError
from cvec_circus_cli.asking import StillRunning
from cvec_circus_cli.finding import BrokenCommand, UnknownName, find
from cvec_circus_cli.printing import complain, print_reply
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_cli.asking import Connection
    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import Command


def run_command(settings: Settings, connection: Connection, name: str, words: Sequence[str]) -> int:
    """Send a command's requests, print the replies, and return the exit code."""
    try:
        command = find(name)
    except (UnknownName, BrokenCommand) as error:
        complain(f"circusctl: {error}")
        return exit_codes.USAGE
    line = Line(command)
    try:
        requests = line.read(words, settings.take)
        if command.name == "listen":
            from cvec_circus_cli.listening import listen

            return listen(settings, requests[0].get("topics", ()))
        messages = [command.compose(given) for given in requests]
        if command.name == "tail" and requests[0].get("follow"):
            from cvec_circus_cli.following import follow

            return follow(settings, connection, command, messages[0])
    except HelpWanted:
        return show_help([name])
    except (UsageError, ValueError) as error:
        complain(f"circusctl: {error}\nusage: {line.usage()}")
        return exit_codes.USAGE
    except api.CallError as error:
        complain(f"circusctl: {error}")
        return exit_codes.NO_ANSWER
    return send_all(settings, connection, command, messages)


def send_all(
    settings: Settings,
    connection: Connection,
    command: Command,
    messages: Sequence[Mapping[str, Any]],
) -> int:
    """Send the requests one after the other, and return the worst exit code."""
    code = exit_codes.OK
    for properties in messages:
        label = f"{properties.get('name')}: " if len(messages) > 1 else ""
        try:
            reply = connection.call(command.name, _for_terminal(settings, command, properties))
        except api.CallError as error:
            complain(_told(error))
            return exit_codes.NO_ANSWER
        except StillRunning as error:
            complain(str(error))
            code = max(code, exit_codes.STILL_RUNNING)
            continue
        code = max(code, print_reply(settings, command, reply, label))
    return code


def show_help(words: Sequence[str]) -> int:
    """Print the manual of a command, or the list of all."""
    from cvec_circus_cli.manual import manual, overview, own_manual

    if not words:
        print(overview())
        return exit_codes.OK
    try:
        print(own_manual(words[0]) or manual(find(words[0])))
    except (UnknownName, BrokenCommand) as error:
        complain(f"circusctl: {error}")
        return exit_codes.USAGE
    return exit_codes.OK


def _for_terminal(
    settings: Settings, command: Command, properties: Mapping[str, Any]
) -> Mapping[str, Any]:
    # The table of all watchers has room for more than their states.
    is_plain = settings.json or settings.prettify or not sys.stdout.isatty()
    if is_plain or command.name != "status" or properties:
        return properties
    return {"long": True}


def _told(error: api.CallError) -> str:
    match error:
        case api.NothingListens():
            return f"timed out: {error} see --endpoint"
        case api.NoAnswer():
            return f"timed out: {error}, see --timeout"
        case _:
            return f"circusctl: {error}"
