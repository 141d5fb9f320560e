"""The interactive shell: the same commands, one a line, with history and completion.

Nothing that is typed ends it but `exit`, Ctrl-D and Ctrl-C. An empty line does nothing: a second
Enter must not repeat a command that changes something.
"""

from __future__ import annotations

import os
import shlex
import sys
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import UsageError
from cvec_circus_cli.asking import Connection
from cvec_circus_cli.completing import asking, candidates, short_connection, split
from cvec_circus_cli.finding import BrokenCommand, UnknownName, find
from cvec_circus_cli.printing import complain
from cvec_circus_cli.running import run_command, show_help
from cvec_circus_core import api

try:
    import readline
except ImportError:  # Python may be built without it
    readline = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from cvec_circus_cli.settings import Settings

PROMPT = "(circusctl) "
HISTORY_LENGTH = 1000


class Shell:
    """Reads lines and runs them until there are no more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asking = short_connection(settings)
        self._found: list[str] = []

    def run(self) -> int:
        """Run it and return the exit code."""
        try:
            return self._run()
        finally:
            self.close()

    def close(self) -> None:
        """Close what completion has opened."""
        self._asking.close()

    def _run(self) -> int:
        print(f"circusctl {api.__version__}")
        self._do(["status"])
        if readline is not None and sys.stdin.isatty():
            self._prepare_editing()
        try:
            while True:
                line = input(PROMPT)
                if line.strip() in ("exit", "EOF"):
                    break
                self.do_line(line)
        except (EOFError, KeyboardInterrupt):
            print()
        if readline is not None and sys.stdin.isatty():
            self._keep_history()
        return exit_codes.OK

    def do_line(self, line: str) -> None:
        """Run one line; whatever goes wrong is told, and that is all."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            complain(f"*** {str(error).lower()}")
            return
        if not words:
            return
        try:
            self._do(words)
        except UsageError as error:
            complain(f"*** {error}")
        except KeyboardInterrupt:
            complain("interrupted")

    def _do(self, words: list[str]) -> None:
        name, *rest = words
        if name in ("help", "?", "--help", "-h"):
            show_help(rest)
            return
        try:
            find(name)
        except UnknownName as error:
            complain(f"*** Unknown syntax: {' '.join(words)} ({error})")
        except BrokenCommand as error:
            complain(f"*** {error}")
        else:
            self._run_one(name, rest)

    def _run_one(self, name: str, words: list[str]) -> None:
        # Options that come after a command are for that one command.
        settings = copy(self._settings)
        connection = Connection(settings)
        try:
            run_command(settings, connection, name, words)
        finally:
            connection.close()

    def _prepare_editing(self) -> None:
        readline.set_completer_delims(" \t\n")
        readline.set_completer(self.complete)
        readline.parse_and_bind("tab: complete")
        readline.set_history_length(HISTORY_LENGTH)
        try:
            readline.read_history_file(_history_file())
        except OSError:
            pass  # the first time, there is none

    def _keep_history(self) -> None:
        file = _history_file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)
        except OSError:
            pass  # a home that can not be written to is no reason to complain at the end

    def complete(self, text: str, state: int) -> str | None:
        """Return the candidates for the word at the cursor one by one, as the line editor asks."""
        if state == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            self._found = candidates(split(line), asking(self._asking))
        if state >= len(self._found):
            return None
        word = shlex.quote(self._found[state])
        return word if word.endswith("=") else f"{word} "


def _history_file() -> Path:
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "circusctl" / "history"
