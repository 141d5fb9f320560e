"""One command from words to exit code: found, read, sent, printed.

The command line and the interactive shell both end here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import CommandLine, HelpWanted, UsageError
from cvec_circus_cli.command_lookup import BrokenCommand, UnknownName, find
from cvec_circus_cli.output import (
    WILD,
    Page,
    complain,
    fail,
    fail_usage,
    failure,
    is_unknown_watcher,
    json_text,
    print_reply,
)
from cvec_circus_cli.requests import StillRunning
from cvec_circus_cli.settings import BadEndpoint
from cvec_circus_core import api
from cvec_circus_core.api import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cvec_circus_cli.requests import Connection
    from cvec_circus_cli.settings import Settings


def is_confirmed(question: str) -> bool:
    """Answer yes: a command on the command line is meant."""
    return True


def run_command(
    settings: Settings,
    connection: Connection,
    name: str,
    words: Sequence[str],
    confirm: Callable[[str], bool] = is_confirmed,
) -> int:
    """Send a command's requests, print the replies, and return the exit code.

    ``confirm`` is asked the question that a command has for an interactive shell.
    """
    try:
        command = find(name)
        line = CommandLine(command)
        requests = line.read(words, settings.take)
        composed = [command.compose(arguments) for arguments in requests]
        if not all(confirm(question) for question in map(command.question, composed) if question):
            return exit_codes.OK
        if settings.fleet:
            from cvec_circus_cli.fleet_command import run_over_fleet

            return run_over_fleet(
                settings,
                connection,
                command,
                requests[0],
                lambda connection: _each_watcher(connection, line, composed),
            )
        messages, several = _each_watcher(connection, line, composed)
        if type(command).follow is not Command.follow:
            from cvec_circus_cli.session import CommandSession, print_pieces

            session = CommandSession(settings, connection)
            pieces = command.follow(session, requests[0], messages)
            if pieces is not None:
                return print_pieces(settings, command, pieces)
        return send_all(settings, connection, command, messages, several=several)
    except HelpWanted:
        settings.take_json(words)
        return show_help(settings, [name])
    except (UnknownName, BrokenCommand, BadEndpoint) as error:
        settings.take_json(words)
        return fail(settings, exit_codes.USAGE, error)
    except (UsageError, ValueError) as error:
        settings.take_json(words)
        return fail_usage(settings, error, line.usage())
    except api.CallError as error:
        return fail(settings, exit_codes.NO_ANSWER, error, _sentence(error))


def _each_watcher(
    connection: Connection, line: CommandLine, messages: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[Mapping[str, Any]], bool]:
    # A plain name is sent as it is: it costs no question, and nothing to load.
    if line.takes_patterns and not all(
        WILD.isdisjoint(message.get("name", "")) for message in messages
    ):
        from cvec_circus_cli.patterns import each_watcher

        return each_watcher(connection, messages)
    return messages, len(messages) > 1


def send_all(
    settings: Settings,
    connection: Connection,
    command: Command,
    messages: Sequence[Mapping[str, Any]],
    *,
    several: bool,
) -> int:
    """Send the requests one after the other, and return the worst exit code. Raises CallError.

    ``several`` says that what is printed is to be told apart by the names.
    """
    messages = [_for_terminal(settings, command, message) for message in messages]
    if several:
        return _send_several(settings, connection, command, messages)
    try:
        reply = connection.call(command.name, messages[0], ends_daemon=command.ends_daemon)
    except StillRunning as error:
        return fail(settings, exit_codes.STILL_RUNNING, error, str(error))
    name = str(messages[0].get("name"))
    return print_reply(
        settings, command, reply, name, _nearest_watcher(settings, connection, reply, name)
    )


def _send_several(
    settings: Settings,
    connection: Connection,
    command: Command,
    messages: Sequence[Mapping[str, Any]],
) -> int:
    page = Page(settings, command)
    code = exit_codes.OK
    for place, properties in enumerate(messages):
        name = str(properties.get("name"))
        try:
            reply = connection.call(command.name, properties, ends_daemon=command.ends_daemon)
        except StillRunning as error:
            complain(str(error))
            page.add_failure(name, failure(exit_codes.STILL_RUNNING, error))
            code = max(code, exit_codes.STILL_RUNNING)
        except api.CallError as error:
            complain(_sentence(error))
            # Those after it are not asked: each would take its time to fail the same way.
            for message in messages[place:]:
                page.add_failure(str(message.get("name")), failure(exit_codes.NO_ANSWER, error))
            code = exit_codes.NO_ANSWER
            break
        else:
            code = max(
                code, page.add(name, reply, _nearest_watcher(settings, connection, reply, name))
            )
    page.end()
    return code


def _nearest_watcher(
    settings: Settings, connection: Connection, reply: Mapping[str, Any], name: str
) -> str:
    """Return what watcher may have been meant by a name that the daemon does not know."""
    if settings.is_json or not is_unknown_watcher(reply, name):
        return ""
    from cvec_circus_cli.patterns import nearest_watcher

    return nearest_watcher(connection, name)


def show_help(settings: Settings, words: Sequence[str]) -> int:
    """Print the manual of a command, or the list of all."""
    from cvec_circus_cli.manual import manual, overview, overview_as_json, own_manual

    if not words:
        print(json_text(settings, overview_as_json()) if settings.is_json else overview())
        return exit_codes.OK
    try:
        text = own_manual(words[0]) or manual(find(words[0]))
    except (UnknownName, BrokenCommand) as error:
        return fail(settings, exit_codes.USAGE, error)
    reply = {"status": "ok", "command": words[0].lower(), "manual": text}
    print(json_text(settings, reply) if settings.is_json else text)
    return exit_codes.OK


def _for_terminal(
    settings: Settings, command: Command, properties: Mapping[str, Any]
) -> Mapping[str, Any]:
    is_plain = settings.is_json or not sys.stdout.isatty()
    return properties if is_plain else {**properties, **command.for_tables}


def _sentence(error: api.CallError) -> str:
    match error:
        case api.NothingListens(seconds=0.0):
            return f"circusctl: {error} See --endpoint; --wait-for-daemon waits for it"
        case api.NothingListens():
            return f"timed out: {error} see --endpoint"
        case api.NoAnswer():
            return f"timed out: {error}, see --timeout"
        case _:
            return f"circusctl: {error}"
