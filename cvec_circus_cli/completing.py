"""What may come next on a command line: for the interactive shell and for bash, zsh and fish.

The scripts of the shells hand over the line up to the cursor (`circusctl complete LINE`) and offer
what is printed. Names, pids and options are asked of the daemon, with a short timeout; where nobody
answers, there are just no candidates for them.
"""

from __future__ import annotations

import shlex
from copy import copy
from importlib import resources
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import Line, UsageError
from cvec_circus_cli.asking import Connection
from cvec_circus_cli.finding import BrokenCommand, UnknownName, find
from cvec_circus_cli.installed import OF_CIRCUSCTL, entry_points
from cvec_circus_cli.printing import complain
from cvec_circus_cli.settings import SWITCHES, VALUES, Settings
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cvec_circus_core.api import Prop

    Ask = Callable[[str, dict[str, Any]], dict[str, Any]]

SHELLS = ("bash", "zsh", "fish")
TIMEOUT = 0.5


def print_script(words: Sequence[str]) -> int:
    """Print the completion script of a shell and return the exit code."""
    if len(words) != 1 or words[0] not in SHELLS:
        complain(f"usage: circusctl completion {'|'.join(SHELLS)}")
        return exit_codes.USAGE
    folder = resources.files("cvec_circus_cli") / "completion"
    print((folder / f"circusctl.{words[0]}").read_text(encoding="utf-8"), end="")
    return exit_codes.OK


def print_candidates(words: Sequence[str]) -> int:
    """Print what may stand at the end of a line, and return the exit code."""
    said = split(" ".join(words))[1:] or [""]
    settings = Settings()
    try:
        rest = settings.read(said[:-1])
    except UsageError:
        return exit_codes.OK
    connection = short_connection(settings)
    try:
        for one in candidates([*rest, said[-1]], asking(connection)):
            print(one)
    finally:
        connection.close()
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


def short_connection(settings: Settings) -> Connection:
    """Return a connection whose calls are soon given up."""
    hasty = copy(settings)
    hasty.timeout = TIMEOUT
    return Connection(hasty)


def asking(connection: Connection) -> Ask:
    """Return a way to ask the daemon that answers with nothing where there is no answer."""

    def ask(command: str, properties: dict[str, Any]) -> dict[str, Any]:
        try:
            return connection.call(command, properties)
        except api.CallError:
            return {}

    return ask


def candidates(words: Sequence[str], ask: Ask) -> list[str]:
    """Return what the last word may become, given those before it and the daemon's answers."""
    *before, last = words
    if not before:
        return _beginning(last, [*_names(), *(_options() if last.startswith("-") else ())])
    name, *given = before
    if name == "completion":
        return _beginning(last, SHELLS if not given else ())
    if name in ("help", "--help", "-h"):
        return _beginning(last, _names() if not given else ())
    try:
        line = Line(find(name))
    except (UnknownName, BrokenCommand):
        return []
    return _beginning(last, _Position(line, given, ask).candidates(last))


class _Position:
    """One place on the line of a command."""

    def __init__(self, line: Line, given: Sequence[str], ask: Ask) -> None:
        self._line = line
        self._ask = ask
        self._plain: list[str] = []
        self._open: Prop | None = None
        for word in given:
            if self._open is not None:
                self._open = None
            elif word.startswith("--"):
                one = line.switches.get(word[2:].replace("-", "_"))
                self._open = one if one is not None and line.kind(one) != "bool" else None
            else:
                self._plain.append(word)

    def candidates(self, last: str) -> Iterable[str]:
        """Yield what may stand here."""
        if self._open is not None:
            return self._values(self._open)
        if last.startswith("-"):
            return [f"--{name}" for name in self._line.switches]
        return [word for one in self._slots() for word in self._values(one)]

    def _slots(self) -> list[Prop]:
        # An optional position may be left out, so that what comes after it may stand here, too.
        slots = self._line.slots
        start = min(len(self._plain), len(slots))
        if start == len(slots) and slots and (slots[-1].many or slots[-1].each):
            start -= 1
        found: list[Prop] = []
        for one in slots[start:]:
            found.append(one)
            if one.required:
                break
        return found

    def _values(self, one: Prop) -> Iterable[str]:
        command = self._line.command.name
        if one.choices:
            return one.choices
        match one.name:
            case "name" if command != "add":
                return self._watchers()
            case "pid" | "process" if self._plain:
                return map(str, self._ask("list", {"name": self._plain[0]}).get("pids", ()))
            case "keys":
                return self._keys()
            case "pairs" if len(self._plain) % 2:
                return self._keys()
            case "option" if command == "add":
                return [f"{name}=" for name in api.declared_options(api.WatcherSpec)]
            case "option":
                return api.declared_options(api.ArbiterSpec)
            case "signum":
                return _signals()
            case "topics":
                return [f"watcher.{api.topic_name(name)}." for name in self._watchers()]
        return ()

    def _watchers(self) -> list[str]:
        return list(self._ask("list", {}).get("watchers", ()))

    def _keys(self) -> list[str]:
        return list(self._ask("options", {"name": self._plain[0]}).get("options", ()))


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(start)})


def _names() -> list[str]:
    return [*entry_points(), *OF_CIRCUSCTL]


def _options() -> list[str]:
    return [*SWITCHES, *VALUES, "--help", "--version"]


def _signals() -> list[str]:
    from signal import Signals

    return [one.name.removeprefix("SIG") for one in Signals]
