"""One run of circus-top: listen, and show it as lines, on a screen, or as a picture in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from cvec_circus_cli import exit_codes
from cvec_circus_cli.output import complain
from cvec_circus_cli.top import glyphs, plain
from cvec_circus_cli.top.feed import Feed, Inquirer
from cvec_circus_cli.top.ledger import Ledger
from cvec_circus_cli.top.sources import (
    EndpointOptions,
    NoStatistics,
    Place,
    client_of,
    subscribed,
    why_silent,
)
from cvec_circus_cli.top.terminal import Ability, ability, writes_unicode
from cvec_circus_cli.top.view import Console, View

NOT_INSTALLED = (
    "the live console needs the package textual: pip install 'cvec-circus[tui]'; "
    "circus-top --once and --batch work without it"
)
_PORTRAIT_ROUNDS, _PORTRAIT_SECONDS = 15, 20.0
"""How much history a picture in a file shows."""
_SETTLED, _SETTLED_AT_LAST = 0.1, 0.5
"""Seconds without a body after which a round is whole, and when it is taken for whole anyway."""


class Mode(Enum):
    """How it is shown."""

    SCREEN = auto()
    LINES = auto()
    PORTRAIT = auto()


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for, beside endpoints."""

    mode: Mode
    view: View
    interval: float = 1.0
    forget_after: float = 3.0
    may_act: bool = False
    colourless: bool = False
    ascii: bool = False
    count: int | None = None
    json: bool = False
    screenshot: str | None = None


def run(options: EndpointOptions, place: Place, order: Order) -> int:
    """Show what was asked for, and return the exit code. Raises NoStatistics."""
    able = ability(os.environ, colourless=order.colourless)
    mode = order.mode
    if mode is Mode.SCREEN and not (sys.stdout.isatty() and sys.stdin.isatty()):
        mode = Mode.LINES
    elif mode is Mode.SCREEN and able is Ability.LINES:
        complain(f"TERM={os.environ.get('TERM', '')}: no screen to draw on, so lines are printed")
        mode = Mode.LINES
    if mode is not Mode.LINES and not _is_installed():
        raise NoStatistics(NOT_INSTALLED)
    if order.may_act and mode is Mode.SCREEN and place.control is None:
        raise NoStatistics(
            "--interactive needs the control endpoint of the same daemon: give it as --control"
        )
    with listening(options, place, order) as feed:
        if mode is Mode.LINES:
            return print_lines(feed, options, place, order)
        return _draw(feed, options, place, order, able, mode)


@contextmanager
def listening(options: EndpointOptions, place: Place, order: Order) -> Iterator[Feed]:
    """Listen to the stream, and ask how the watchers fare where that can be."""
    feed = Feed(subscribed(options, place), Ledger(order.forget_after))
    with ExitStack() as stack:
        feed.start()
        stack.callback(feed.stop)
        if place.control is not None:
            inquirer = Inquirer(client_of(options, place.control, options.timeout), feed.learn)
            inquirer.start()
            stack.callback(inquirer.stop)
        if not feed.wait_rounds(0, options.timeout):
            raise why_silent(place, options.timeout)
        yield feed


def print_lines(feed: Feed, options: EndpointOptions, place: Place, order: Order) -> int:
    """Print snapshots until there are enough of them."""
    # The first round after a pause knows of no processor shares yet: they are differences.
    feed.wait_rounds(1, options.timeout)
    printed, is_lost = 0, False
    while True:
        feed.wait_quiet(_SETTLED, _SETTLED_AT_LAST)
        snapshot, link = feed.look()
        was_lost, is_lost = is_lost, link.silent is not None
        if is_lost and not was_lost:
            complain(f"no answer from {link.endpoint}, trying again")
        elif not is_lost:
            show = plain.json_text if order.json else plain.text
            gap = "\n" if printed and not order.json else ""
            print(gap + show(snapshot, link, order.view), flush=True)
            printed += 1
        if printed == order.count:
            return exit_codes.OK
        feed.pause(order.interval)


def _draw(
    feed: Feed, options: EndpointOptions, place: Place, order: Order, able: Ability, mode: Mode
) -> int:
    from cvec_circus_cli.top import screen  # an extra brings what it needs

    control = place.control
    is_portrait = mode is Mode.PORTRAIT
    is_ascii = order.ascii or not (is_portrait or writes_unicode())
    console = screen.Screen(
        feed.look,
        Console(order.view, interval=order.interval, may_act=order.may_act),
        glyphs.ASCII if is_ascii else glyphs.UNICODE,
        None if control is None else lambda: client_of(options, control, options.timeout),
        has_colours=not order.colourless if is_portrait else able is Ability.COLOURS,
        cores=os.cpu_count() if options.ssh is None and _is_local(place.stats) else None,
    )
    if order.screenshot is None or not is_portrait:
        return screen.show(console)
    feed.wait_rounds(_PORTRAIT_ROUNDS, _PORTRAIT_SECONDS)
    return screen.save_portrait(console, Path(order.screenshot))


def _is_local(endpoint: str) -> bool:
    return endpoint.startswith(("ipc://", "tcp://127.", "tcp://localhost:", "tcp://[::1]"))


def _is_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("textual") is not None
