"""What may come next on a command line: for the interactive shell and for bash, zsh and fish.

The scripts of the shells hand over the line up to the cursor (`circusctl complete LINE`) and offer
what is printed. Names, pids and options are asked of the daemon that the line means, with a short
timeout; where nobody answers, there are just no candidates for them, at once where nobody listens.
"""

from __future__ import annotations

import shlex
from copy import copy
from importlib import resources
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import (
    ALSO_CALLED,
    CommandLine,
    UsageError,
    is_switch,
    no_other_switch,
)
from cvec_circus_cli.command_lookup import BrokenCommand, UnknownName, find
from cvec_circus_cli.export_command import ExportCommand
from cvec_circus_cli.import_command import ImportCommand
from cvec_circus_cli.installed import OF_CIRCUSCTL, entry_points
from cvec_circus_cli.keys import key_command
from cvec_circus_cli.output import fail, json_text
from cvec_circus_cli.requests import Connection
from cvec_circus_cli.run_command import show_help
from cvec_circus_cli.settings import KEY_COMMANDS, SWITCHES, VALUES, Settings
from cvec_circus_core import api
from cvec_circus_plugins.questions import NameQuestions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cvec_circus_core.api import Command, Prop

    Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    Take = Callable[[str, str | None, Iterator[str]], bool]

SHELLS = ("bash", "zsh", "fish")
TIMEOUT = 0.5


def print_script(settings: Settings, words: Sequence[str]) -> int:
    """Print the completion script of a shell and return the exit code."""
    if words in (["--help"], ["-h"]):
        return show_help(settings, ["completion"])
    if len(words) != 1 or words[0] not in SHELLS:
        usage = f"usage: circusctl completion {'|'.join(SHELLS)}"
        return fail(settings, exit_codes.USAGE, usage, usage)
    folder = resources.files("cvec_circus_cli") / "completion"
    script = (folder / f"circusctl.{words[0]}").read_text(encoding="utf-8")
    reply = {"status": "ok", "script": script}
    print(json_text(settings, reply) + "\n" if settings.is_json else script, end="")
    return exit_codes.OK


def print_candidates(words: Sequence[str]) -> int:
    """Print what may stand at the end of a line, and return the exit code."""
    *before, last = split(" ".join(words))[1:] or [""]
    settings = Settings()
    try:
        rest = settings.read(before)
    except UsageError:
        return exit_codes.OK
    for candidate in asked_candidates([*rest, last], settings, words_of_the_command_line):
        print(candidate)
    return exit_codes.OK


def split(line: str) -> list[str]:
    """Return the words of an unfinished line; the last one may be empty."""
    for closing in ("", '"', "'"):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return [*words, ""] if not closing and (not line or line[-1].isspace()) else words
    return [""]


def asked_candidates(
    words: Sequence[str], settings: Settings, first: Callable[[], Iterable[str]]
) -> list[str]:
    """Return what the last word may become, as the daemon says that the settings name."""
    own = copy(settings)  # for options that come after the command
    connection = Connection(own)
    try:
        return candidates(words, asking(connection), first, own.take)
    finally:
        connection.close()


def asking(connection: Connection) -> Ask:
    """Return a way to ask the daemon that answers with nothing where there is no answer."""

    def ask(command: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = connection.settings
        settings.timeout = TIMEOUT
        # Who presses a key does not want to be asked for a password by ssh.
        if settings.ssh is not None or not api.is_open(settings.control_endpoint):
            return {}
        try:
            return connection.call(command, properties)
        except api.CallError:
            return {}

    return ask


def words_of_the_command_line() -> Iterable[str]:
    """Return what the first word after the program may be."""
    return [*_names(), *SWITCHES, *VALUES, "--help", "--version"]


def candidates(
    words: Sequence[str],
    ask: Ask,
    first: Callable[[], Iterable[str]] = words_of_the_command_line,
    take: Take = no_other_switch,
) -> list[str]:
    """Return what the last word may become, given those before it and the daemon's answers.

    ``first`` tells the words that may stand first, ``take`` is offered the switches that are none
    of the command.
    """
    *before, last = words
    if not before:
        return _beginning(last, [word for word in first() if last[:1] == "-" or word[0] != "-"])
    name, *arguments = before
    if name == "completion":
        return _beginning(last, () if arguments else SHELLS)
    if name in ("help", "--help", "-h", "?"):
        return _beginning(last, () if arguments else _names())
    try:
        line = CommandLine(_own_command(name) or find(name))
    except (UnknownName, BrokenCommand):
        return []
    place = _Place(line, ask)
    try:
        place.read(arguments, take)
    except UsageError:
        return []
    return _beginning(last, place.switches(last) or place.words(last))


def _own_command(name: str) -> Command | None:
    """Return a command that reaches no daemon."""
    if name in KEY_COMMANDS:
        return key_command(name)
    own = (command for command in (ImportCommand, ExportCommand) if command.name == name)
    return next((command() for command in own), None)


class _Place:
    """One place on the line of a command: after some words, before the next."""

    def __init__(self, line: CommandLine, ask: Ask) -> None:
        self._line = line
        self._questions = NameQuestions(ask)
        self._plain: list[str] = []
        self._open: Prop | None = None
        self._is_plain_from_here = False

    def read(self, words: Sequence[str], take: Take) -> None:
        """Go on behind these words. Raises UsageError where they can not be understood."""
        rest = iter(words)
        for word in rest:
            if word == "--":
                self._plain.extend(rest)
                self._is_plain_from_here = True
            elif not is_switch(word) or self._is_of_many(word):
                self._plain.append(word)
            else:
                self._pass_switch(word, rest, take)

    def _pass_switch(self, word: str, rest: Iterator[str], take: Take) -> None:
        switch = self._line.switch(word)
        name, equals, value = word.partition("=")
        if switch is None:
            if not take(name, value if equals else None, rest):
                raise UsageError(f"there is no switch {name}")
        elif not equals and self._line.kind(switch) != "bool" and next(rest, None) is None:
            self._open = switch

    def _is_of_many(self, word: str) -> bool:
        return self._line.is_inside_many(self._plain) and self._line.switch(word) is None

    def switches(self, last: str) -> list[str]:
        """Return the switches that begin so, or one with its values behind a ``=``."""
        if not last.startswith("-") or self._open is not None or self._is_plain_from_here:
            return []
        name, equals, _ = last.partition("=")
        if equals:
            switch = self._line.switch(name)
            return [f"{name}={word}" for word in self._values(switch)] if switch else []
        own = [f"--{name}" for name in self._line.switches]
        more = [f"--{also}" for also, name in ALSO_CALLED.items() if name in self._line.switches]
        # Circusctl's own ones may come here, too; they would only crowd out those of the command.
        general = [*SWITCHES, *VALUES, "--help"]
        return next(filter(None, (_beginning(last, names) for names in (own, more, general))), [])

    def words(self, last: str) -> Iterable[str]:
        """Return what may stand here and is no switch."""
        if self._open is not None:
            return self._values(self._open)
        return [word for slot in self._slots() for word in self._values(slot)]

    def _slots(self) -> list[Prop]:
        # An optional position may be left out, so that what comes after it may stand here, too.
        slots = self._line.slots
        start = min(len(self._plain), len(slots))
        if start == len(slots) and slots and (slots[-1].many or slots[-1].each):
            start -= 1
        open_slots: list[Prop] = []
        for slot in slots[start:]:
            open_slots.append(slot)
            if slot.required:
                break
        return open_slots

    def _values(self, prop: Prop) -> Iterable[str]:
        return self._line.command.complete(prop, self._plain, self._questions)


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(start)})


def _names() -> list[str]:
    return [*entry_points(), *OF_CIRCUSCTL]
