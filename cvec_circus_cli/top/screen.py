"""The live console in a terminal, drawn by textual.

textual was chosen over rich, on which it is built, because half of a console is what comes in:
keys of every terminal, the mouse, resizing, suspending, and a terminal that is given back as it
was, however the program ends. Of its widgets none is used. There is one, which shows the lines that
`picture` has made; only lines that have changed are sent to the terminal.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from cvec_circus_cli import exit_codes
from cvec_circus_cli.top import acts
from cvec_circus_cli.top.glyphs import Pen
from cvec_circus_cli.top.keys import Scene, Wish, press
from cvec_circus_cli.top.lines import Line, Tone
from cvec_circus_cli.top.picture import Canvas, Picture, picture
from cvec_circus_cli.top.snapshot import Link, Snapshot
from cvec_circus_cli.top.view import Act, Console

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot
    from textual.timer import Timer

    from cvec_circus_core.api import CircusClient

_COLOURED = {
    Tone.DIM: Style(dim=True),
    Tone.STRONG: Style(bold=True),
    Tone.TITLE: Style(color="bright_white", bgcolor="blue", bold=True),
    Tone.HEAD: Style(color="black", bgcolor="green"),
    Tone.SORTED: Style(color="black", bgcolor="cyan", bold=True),
    Tone.LOW: Style(color="green"),
    Tone.MIDDLE: Style(color="yellow"),
    Tone.HIGH: Style(color="red"),
    Tone.TRACK: Style(color="bright_black"),
    Tone.GOOD: Style(color="green"),
    Tone.WARNING: Style(color="yellow", bold=True),
    Tone.BAD: Style(color="red", bold=True),
    Tone.KEY: Style(color="cyan", bold=True),
}
_COLOURLESS = {
    Tone.STRONG: Style(bold=True),
    Tone.TITLE: Style(reverse=True),
    Tone.HEAD: Style(reverse=True),
    Tone.SORTED: Style(reverse=True, bold=True),
    Tone.WARNING: Style(bold=True),
    Tone.BAD: Style(bold=True),
    Tone.KEY: Style(bold=True),
}
_CHOSEN = Style(reverse=True)
_SIZE = (110, 32)
"""Columns and lines of a picture in a file, unless COLUMNS and LINES say otherwise."""

Look = Callable[[], tuple[Snapshot, Link]]


class Board(Widget):
    """Shows lines, and passes keys on."""

    can_focus = True
    DEFAULT_CSS = "Board { width: 100%; height: 100%; background: ansi_default; }"

    def __init__(self, styles_of: dict[Tone, Style], pressed: Callable[[str], None]) -> None:
        super().__init__()
        self._styles_of = styles_of
        self._pressed = pressed
        self._lines: tuple[Line, ...] = ()

    def show(self, lines: tuple[Line, ...]) -> None:
        """Show other lines."""
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.refresh()
            return
        changed = [n for n, (old, new) in enumerate(zip(before, lines, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, n, self.size.width, 1) for n in changed))

    def render_line(self, y: int) -> Strip:
        """Return one line as textual wants it."""
        if y >= len(self._lines):
            return Strip.blank(self.size.width)
        line = self._lines[y]
        return Strip(
            [
                Segment(span.text, _CHOSEN if line.is_chosen else self._styles_of.get(span.tone))
                for span in line.spans
            ]
        )

    def on_key(self, event: events.Key) -> None:
        """Pass every key on, before textual has its own idea of it."""
        event.stop()
        event.prevent_default()
        character = event.character
        is_text = character is not None and len(character) == 1 and character.isprintable()
        self._pressed(character if is_text and character is not None else event.key)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Take the wheel for a key."""
        self._pressed("scrolldown")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Take the wheel for a key."""
        self._pressed("scrollup")


class Screen(App[None]):
    """The console: a picture of what is known, redrawn in time and after each key."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { background: ansi_default; }"
    TITLE = "circus-top"
    _SIGNALS: ClassVar = (signal.SIGTERM, signal.SIGHUP)

    def __init__(
        self,
        look: Look,
        console: Console,
        pen: Pen,
        connect: Callable[[], CircusClient] | None,
        *,
        has_colours: bool,
        cores: int | None = None,
    ) -> None:
        super().__init__(ansi_color=True)
        self._look = look
        self._state = console
        self._pen = pen
        self._connect = connect
        self._cores = cores
        self._seen, self._link = Snapshot(), Link("")
        self._scene = Scene((), 0)
        self._ticking: Timer | None = None
        self.board = Board(_COLOURED if has_colours else _COLOURLESS, self.press_key)

    def compose(self) -> ComposeResult:
        """Yield the only widget."""
        yield self.board

    def on_mount(self) -> None:
        """Begin to draw, and end as after a key when told to end: the terminal is given back."""
        self.board.focus()
        loop = asyncio.get_running_loop()
        for number in self._SIGNALS:
            loop.add_signal_handler(number, self.exit)
        self._tick()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._draw)

    def press_key(self, key: str) -> None:
        """Do what a key says."""
        if key == "ctrl+z":
            self.action_suspend_process()
            return
        interval = self._state.interval
        self._state, wish = press(self._state, key, self._scene)
        if wish is Wish.QUIT:
            self.exit()
            return
        if isinstance(wish, Act):
            self.run_worker(self._do(wish), name=wish.text)
        if self._state.interval != interval:
            self._tick()
        else:
            self._draw()

    def _tick(self) -> None:
        if self._ticking is not None:
            self._ticking.stop()
        self._ticking = self.set_timer(self._state.interval, self._tick)
        snapshot, self._link = self._look()
        if not self._state.is_frozen:
            self._seen = snapshot
        self._draw()

    def _draw(self) -> None:
        drawn = self._picture(self._seen, self._link)
        self._state, self._scene = drawn.console, drawn.scene
        self.board.show(drawn.lines)

    def _picture(self, snapshot: Snapshot, link: Link) -> Picture:
        columns, rows = self.size
        return picture(snapshot, link, self._state, Canvas(columns, rows, self._pen, self._cores))

    async def _do(self, act: Act) -> None:
        if self._connect is not None:
            text = await asyncio.to_thread(acts.do, act, self._connect)
            self._state = replace(self._state, message=text)
            self._draw()


def show(screen: Screen) -> int:
    """Show the console until somebody leaves it, and return the exit code."""
    screen.run()
    return screen.return_code or exit_codes.OK


def save_portrait(screen: Screen, file: Path) -> int:
    """Draw the console once into an SVG file, without a terminal."""
    columns, rows = (int(os.environ.get(name, usual)) for name, usual in _sizes())
    drawn: list[str] = []

    async def draw(pilot: Pilot[object]) -> None:
        await pilot.pause()
        await pilot.pause()  # the first size comes after the first picture
        drawn.append(screen.export_screenshot(title="circus-top"))
        screen.exit()

    screen.run(headless=True, size=(columns, rows), auto_pilot=draw)
    file.write_text(drawn[0], encoding="utf-8")
    return exit_codes.OK


def _sizes() -> Iterator[tuple[str, int]]:
    yield from zip(("COLUMNS", "LINES"), _SIZE, strict=True)
