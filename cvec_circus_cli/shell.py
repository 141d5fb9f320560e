"""The interactive shell: the same commands, one a line, with history and completion.

Nothing that is typed ends it but `exit`, Ctrl-D and Ctrl-C. An empty line does nothing: a second
Enter must not repeat a command that changes something. What would end everything is asked about
first. Where lines come from a pipe, nobody is asked, and the exit code is the worst of them all.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import UsageError
from cvec_circus_cli.command_lookup import BrokenCommand, UnknownName, find
from cvec_circus_cli.completion import asked_candidates, split
from cvec_circus_cli.installed import entry_points
from cvec_circus_cli.output import complain, fail
from cvec_circus_cli.requests import Connection
from cvec_circus_cli.run_command import run_command, show_help
from cvec_circus_core import api
from cvec_circus_plugins.questions import OVERVIEW

try:
    import readline
except ImportError:  # Python may be built without it
    readline = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from cvec_circus_cli.settings import Settings

PROMPT = "(circusctl) "
HISTORY_LENGTH = 1000
BLANKS = " \t\n"
QUOTES = "\"'"


class Shell:
    """Reads lines and runs them until there are no more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._candidates: list[str] = []
        self._is_interactive = sys.stdin.isatty()
        self._has_editing = readline is not None and self._is_interactive

    def run(self) -> int:
        """Run it and return the exit code."""
        print(f"circusctl {api.__version__}")
        self.do_line(OVERVIEW)
        if self._has_editing:
            self._prepare_editing()
        worst = exit_codes.OK
        try:
            while True:
                line = input(PROMPT)
                if line.strip() in ("exit", "EOF"):
                    break
                if self._has_editing and line.strip():
                    _keep_last_line()
                worst = max(worst, self.do_line(line))
        except (EOFError, KeyboardInterrupt):
            print()
        return exit_codes.OK if self._is_interactive else worst

    def do_line(self, line: str) -> int:
        """Run one line and return its exit code; whatever goes wrong is told, and that is all."""
        try:
            words = shlex.split("" if line.lstrip().startswith("#") else line)
        except ValueError as error:
            complain(f"*** {str(error).lower()}")
            return exit_codes.USAGE
        if not words:
            return exit_codes.OK
        try:
            return self._do(words)
        except UsageError as error:
            complain(f"*** {error}")
            return exit_codes.USAGE
        except KeyboardInterrupt:
            complain("interrupted")
            return exit_codes.NO_ANSWER

    def _do(self, words: list[str]) -> int:
        # Options that stand before or after a command are for that one command.
        settings = copy(self._settings)
        command_words = settings.read(words)
        if not command_words:
            raise UsageError("there is no command after the options")
        name, *rest = command_words
        if name in ("help", "?", "--help", "-h"):
            return show_help(settings, rest)
        try:
            find(name)
        except UnknownName as error:
            unknown = f"*** Unknown syntax: {' '.join(words)} ({error})"
            return fail(settings, exit_codes.USAGE, error, unknown)
        except BrokenCommand as error:
            return fail(settings, exit_codes.USAGE, error, f"*** {error}")
        connection = Connection(settings)
        try:
            return run_command(settings, connection, name, rest, self._confirm)
        finally:
            connection.close()

    def _confirm(self, question: str) -> bool:
        if not self._is_interactive:
            return True
        try:
            answer = input(f"{question} [y/N] ")
        except EOFError:
            answer = ""
            print()
        is_confirmed = answer.strip().lower() in ("y", "yes")
        if not is_confirmed:
            complain("nothing was done")
        return is_confirmed

    def _prepare_editing(self) -> None:
        readline.set_completer_delims(BLANKS)
        readline.set_completer(self.complete)
        # Some Pythons edit lines by libedit, which calls the same by another name.
        is_libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
        readline.set_history_length(HISTORY_LENGTH)
        try:
            readline.read_history_file(_history_file())
        except OSError:
            pass  # the first time, there is none

    def complete(self, text: str, state: int) -> str | None:
        """Return the candidates for the word at the cursor one by one, as the line editor asks.

        ``text`` is what stands behind the last blank, even where that is inside quotes.
        """
        if state == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            begun = unfinished_word(line)
            before = begun[: len(begun) - len(text)]
            words = [in_shell_words(word, begun[:1]) for word in self._candidates_for(split(line))]
            self._candidates = [word[len(before) :] for word in words if word.startswith(before)]
        return self._candidates[state] if state < len(self._candidates) else None

    def _candidates_for(self, words: list[str]) -> list[str]:
        settings = copy(self._settings)
        try:
            before = settings.read(words[:-1])
        except UsageError:
            return []
        return asked_candidates([*before, words[-1]], settings, words_of_the_shell)


def words_of_the_shell() -> list[str]:
    """Return what a line may begin with."""
    return [*entry_points(), "exit", "help"]


def unfinished_word(line: str) -> str:
    """Return the last word of a line as it stands there, with its quotes."""
    match = _WORD_AT_END.search(line)
    return match.group() if match else ""


def in_shell_words(word: str, quote: str) -> str:
    """Return a word as it is typed, in quotes where it was begun so, ready for the next."""
    end = "" if word.endswith(("=", ".")) else " "
    if quote and quote in QUOTES:
        return quote + word + (quote + end if end else "")
    return _SPECIAL.sub(r"\\\g<0>", word) + end


_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
_WORD_AT_END = re.compile(r"""(?:[^\s\\"']|\\.|"(?:[^"\\]|\\.)*(?:"|$)|'[^']*(?:'|$))+$""")


def _keep_last_line() -> None:
    # Line by line, so that neither a second shell nor a closed window costs any.
    file = _history_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # what was set may be secret
        readline.append_history_file(1, file)
    except (OSError, AttributeError):
        pass  # a home that can not be written to, or an editor that can not append


def _history_file() -> Path:
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "circusctl" / "history"
