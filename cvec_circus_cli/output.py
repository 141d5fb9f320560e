"""How a reply is printed: plainly, as JSON, or as a table on a terminal.

With --json there is one document on standard output, whatever happens; sentences for people go to
standard error besides, unless they are the daemon's.

Plain lines are what scripts read: they never change with the terminal's width or taste.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_core import api
from cvec_circus_core.api import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_cli.settings import Settings


WILD = frozenset("*?[")
"""The marks of a pattern."""


def is_error(reply: Mapping[str, Any]) -> bool:
    """Tell whether the daemon refused; any other status is a result."""
    return reply.get("status") == "error"


class Page:
    """Prints the replies about several watchers: each as it comes, or as one at the end."""

    def __init__(self, settings: Settings, command: Command) -> None:
        self._settings = settings
        self._command = command
        self._replies: dict[str, Mapping[str, Any]] = {}
        is_table = not settings.is_json and sys.stdout.isatty()
        self._is_joined = is_table and type(command).joined is not Command.joined

    def add(self, name: str, reply: Mapping[str, Any], nearest: str = "") -> int:
        """Print the reply about this watcher and return the exit code for it.

        ``nearest`` is the watcher that may have been meant, where the daemon knows none so called.
        """
        is_refused = is_error(reply)
        if self._settings.is_json:
            self._replies[name] = reply
        elif is_refused:
            complain_of(self._command, reply, refusal(reply, name, nearest, is_labelled=True))
        elif self._is_joined:
            self._replies[name] = reply
        else:
            print(self._text(name, reply))
        return _exit_code(self._command, reply)

    def add_failure(self, name: str, failure: Mapping[str, Any]) -> None:
        """Take what stands for a reply that did not come; people have been told."""
        if self._settings.is_json:
            self._replies[name] = failure

    def end(self) -> None:
        """Print what is left to print."""
        if self._settings.is_json:
            print(json_text(self._settings, self._replies))
        elif self._replies:
            print(self._joined())

    def _text(self, name: str, reply: Mapping[str, Any]) -> str:
        tables = as_table(self._settings, self._command, reply)
        if tables is None:
            return shown(self._settings, self._command.show_among(name, reply))
        return f"{shown(self._settings, name)}:\n{tables}"

    def _joined(self) -> str:
        joined = self._command.joined(self._replies)
        tables = None if joined is None else as_table(self._settings, self._command, joined)
        if tables is not None:
            return tables
        replies = self._replies.items()
        text = "\n".join(self._command.show_among(name, reply) for name, reply in replies)
        return shown(self._settings, text)


def print_reply(
    settings: Settings,
    command: Command,
    reply: Mapping[str, Any],
    name: str = "",
    nearest: str = "",
) -> int:
    """Print one reply, about the watcher of this name, and return the exit code for it."""
    if settings.is_json:
        print(json_text(settings, reply))
        return _exit_code(command, reply)
    if is_error(reply):
        complain_of(command, reply, refusal(reply, name, nearest))
        return exit_codes.REFUSED
    tables = as_table(settings, command, reply)
    text = shown(settings, command.show(reply)) if tables is None else tables
    if text or not command.nothing:
        print(text)
    elif sys.stdout.isatty():
        print(command.nothing)
    return _exit_code(command, reply)


def _exit_code(command: Command, reply: Mapping[str, Any]) -> int:
    is_failure = is_error(reply) or command.is_failure(reply)
    return exit_codes.REFUSED if is_failure else exit_codes.OK


def is_unknown_watcher(reply: Mapping[str, Any], name: str) -> bool:
    """Tell whether the daemon has refused because it knows no watcher of this name."""
    return is_error(reply) and _unknown_watcher(str(reply.get("reason"))) == name


def _unknown_watcher(reason: str) -> str | None:
    # The protocol has an older word for a watcher, which programs match on.
    head, tail = "program ", " not found"
    if not (reason.startswith(head) and reason.endswith(tail)):
        return None
    return reason.removeprefix(head).removesuffix(tail)


def refusal(
    reply: Mapping[str, Any], name: str, nearest: str = "", *, is_labelled: bool = False
) -> str:
    """Return why the daemon refused, with the name in front where that is not plain from it."""
    reason = str(reply.get("reason") or "the daemon gave no reason")
    unknown = _unknown_watcher(reason)
    if unknown is not None:
        if not WILD.isdisjoint(unknown):
            return f"no watcher matches {unknown!r}"
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        return f"no watcher is named {unknown!r}{hint}"
    if reason.endswith("' already exist"):
        reason += "s"  # programs match on the older grammar, people need not
    has_name = not is_labelled or f" {name} " in f" {reason} ".replace("'", " ")
    return reason if has_name else f"{name}: {reason}"


def fail(settings: Settings, code: int, reason: object, sentence: str = "", **more: object) -> int:
    """Tell why there is no reply, as JSON too where that is wanted, and return the exit code.

    ``sentence`` is for people, where it is not just the reason; ``more`` is for programs.
    """
    complain(sentence or f"circusctl: {reason}")
    if settings.is_json:
        print(json_text(settings, failure(code, reason, **more)))
    return code


def fail_usage(settings: Settings, error: Exception, usage: str) -> int:
    """Tell what is wrong with the words of a command, and return the exit code."""
    usage = f"usage: {usage}"
    return fail(settings, exit_codes.USAGE, error, f"circusctl: {error}\n{usage}", usage=usage)


def failure(code: int, reason: object, **more: object) -> dict[str, Any]:
    """Return what stands for a reply where there is none."""
    return {"status": "error", "reason": str(reason), "exit_code": code, **more}


def complain_of(command: Command, reply: Mapping[str, Any], reason: str) -> None:
    """Print why the daemon refused, and what the command shows besides."""
    complain("\n".join(filter(None, (f"error: {reason}", command.show_failure(reply)))))


def complain(sentence: str) -> None:
    """Print something on standard error."""
    sys.stdout.flush()
    print(api.visible(sentence) if sys.stderr.isatty() else sentence, file=sys.stderr)


def json_text(settings: Settings, content: object) -> str:
    """Return JSON on one line, or indented where that was asked for."""
    import json

    if not settings.prettify:
        return json.dumps(content)
    text = json.dumps(content, indent=2, sort_keys=True)
    if settings.colourless or not sys.stdout.isatty():
        return text
    from cvec_circus_cli.tables import coloured_json

    return coloured_json(text)


def shown(settings: Settings, text: str) -> str:
    """Return a text of others as it is printed: on a terminal its escapes are shown."""
    return api.visible(text) if settings.shows_escapes else text


def as_table(settings: Settings, command: Command, reply: Mapping[str, Any]) -> str | None:
    """Return the table of a reply on a terminal; None where there is none."""
    if not sys.stdout.isatty():
        return None
    tables = command.tables(reply)
    if not tables:
        return None
    from cvec_circus_cli.tables import tables_text

    return tables_text(tables, colours=not settings.colourless, show=partial(shown, settings))
