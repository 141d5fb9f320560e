"""A terminal with somebody at its keyboard: keys go in, what stands on the screen comes out.

tmux is the terminal. Each one here has a server of its own, whose socket is in a folder of its own
and which reads nobody's configuration, so that neither the tester's terminal nor his habits have a
part in it. Nothing is slept for: whoever wants to see something says what, and how long at most.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.programs import wait_until

LIMIT = 30.0
"""Seconds that a single fact may take on a machine that has other things to do."""

KIND = "screen-256color"
# tmux knows how its programs end, but on a busy machine it misses some of the ends.
TELLING = 'trap : INT; "$@"; echo $? >"$0"'
CONFIGURATION = f"""
set -g default-terminal {KIND}
set -g remain-on-exit on
set -g remain-on-exit-format ""
set -g status off
set -s escape-time 0
"""


class Terminal:
    """One program in a terminal of a fixed size."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        columns: int = 100,
        rows: int = 30,
        kind: str = KIND,
    ) -> None:
        # Unix sockets have short names: the folders that pytest makes may be too deep.
        self._folder = Path(tempfile.mkdtemp(prefix="circus-tmux-"))
        self._configuration = self._folder / "tmux.conf"
        self._configuration.write_text(CONFIGURATION, encoding="utf-8")
        self._exit = self._folder / "exit"
        size = ("-x", str(columns), "-y", str(rows))
        words = [f"{name}={value}" for name, value in {**environment, "TERM": kind}.items()]
        telling = ("sh", "-c", TELLING, str(self._exit))
        try:
            self._tmux("new-session", "-d", *size, "env", "-i", *words, *telling, *command)
        except BaseException:
            self.close()
            raise

    def write(self, text: str) -> None:
        """Type these characters."""
        self._tmux("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by their names: Enter, Tab, Up, C-c."""
        self._tmux("send-keys", *keys)

    def enter(self, line: str) -> None:
        """Type a line and press Enter."""
        self.write(line)
        self.press("Enter")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """Return what stands on the screen, without the empty lines at its end."""
        return self._tmux("capture-pane", "-p").rstrip("\n")

    def coloured_screen(self) -> str:
        """Return what stands on the screen, with the escape sequences of colours."""
        return self._tmux("capture-pane", "-p", "-e").rstrip("\n")

    def lines(self) -> list[str]:
        """Return the lines on the screen, without blanks at their ends."""
        return [line.rstrip() for line in self.screen().split("\n")]

    def wait_for(self, text: str, limit: float = LIMIT) -> None:
        """Wait until a text is somewhere on the screen."""
        self.wait(lambda: text in self.screen(), f"the text {text!r}", limit)

    def wait_for_line(self, line: str, limit: float = LIMIT) -> None:
        """Wait until a whole line is this one."""
        self.wait(lambda: line in self.lines(), f"the line {line!r}", limit)

    def wait_for_last(self, line: str, limit: float = LIMIT) -> None:
        """Wait until the last line on the screen is this one."""
        self.wait_for_end(line, limit=limit)

    def wait_for_end(self, *lines: str, limit: float = LIMIT) -> None:
        """Wait until the last lines on the screen are these."""
        self.wait(lambda: self.lines()[-len(lines) :] == [*lines], f"the end {lines}", limit)

    def wait_gone(self, text: str, limit: float = LIMIT) -> None:
        """Wait until a text is nowhere on the screen."""
        self.wait(lambda: text not in self.screen(), f"no {text!r}", limit)

    def exit_code(self, limit: float = LIMIT) -> int:
        """Wait until the program has ended and return how."""
        self.wait(lambda: self._ended().endswith("\n"), "the end of the program", limit)
        return int(self._ended())

    def close(self) -> None:
        """End the terminal and all that runs in it."""
        try:
            self._run("kill-server")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self, fact: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
        """Wait until something is so; what it is, is told where it does not come."""
        try:
            wait_until(fact, limit)
        except AssertionError:
            raise AssertionError(f"{what} did not come; the screen:\n{self.screen()}") from None

    def _ended(self) -> str:
        return self._exit.read_text(encoding="utf-8") if self._exit.exists() else ""

    def _tmux(self, *words: str) -> str:
        done = self._run(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TERM")}
        return subprocess.run(
            ["tmux", "-u", "-L", "circus", "-f", self._configuration, *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=LIMIT,
            env={**own, "TMUX_TMPDIR": str(self._folder), "TERM": KIND},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
