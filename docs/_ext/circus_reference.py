"""Sphinx directives that write the reference from the declarations in the code.

    .. circus-options:: watcher      (or: daemon)
    .. circus-commands::
    .. circus-streams::
    .. circus-plugins::
    .. circus-kernel-hooks::
    .. circus-program:: circusd
    .. circus-events::
    .. circus-errnos::
    .. circus-rooms::

Each makes reStructuredText and lets docutils read it (`reference_text.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import ClassVar

from docutils import nodes
from reference_text import (
    commands,
    errno_rows,
    event_rows,
    kernel_hooks,
    options_of,
    plugins,
    room_rows,
    streams,
)
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PLAIN_TERMINAL = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1"}


class _Generated(SphinxDirective):
    """A directive whose content is written by one of the functions above."""

    def written(self) -> Iterator[str]:
        """Yield the lines of reStructuredText."""
        raise TypeError(f"{self.name} writes nothing")

    def run(self) -> list[nodes.Node]:
        """Return the nodes that docutils makes of the lines."""
        self.env.note_reread()  # The declarations may have changed while the page has not.
        text = "\n".join(self.written())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Options(_Generated):
    """``.. circus-options:: watcher`` or ``daemon``."""

    required_arguments: ClassVar[int] = 1

    def written(self) -> Iterator[str]:
        """Yield the options."""
        return options_of(self.arguments[0])


class Commands(_Generated):
    """``.. circus-commands::``."""

    def written(self) -> Iterator[str]:
        """Yield the commands."""
        return commands()


class Streams(_Generated):
    """``.. circus-streams::``."""

    def written(self) -> Iterator[str]:
        """Yield the stream classes."""
        return streams()


class Plugins(_Generated):
    """``.. circus-plugins::``."""

    def written(self) -> Iterator[str]:
        """Yield the plugins."""
        return plugins()


class KernelHooks(_Generated):
    """``.. circus-kernel-hooks::``."""

    def written(self) -> Iterator[str]:
        """Yield the hooks, each with its example."""
        return kernel_hooks()


class Program(_Generated):
    """``.. circus-program:: circusd``: what the program's ``--help`` says."""

    required_arguments: ClassVar[int] = 1

    def written(self) -> Iterator[str]:
        """Yield the help as a literal block."""
        module = f"cvec_circus_cli.{self.arguments[0]}"
        asked = [sys.executable, "-m", module, "--help"]
        told = subprocess.run(
            asked, capture_output=True, text=True, check=True, timeout=60, env=PLAIN_TERMINAL
        )
        yield from ("::", "")
        yield from (f"   {line}" for line in told.stdout.splitlines())


class Events(_Generated):
    """``.. circus-events::``."""

    def written(self) -> Iterator[str]:
        """Yield the table."""
        return event_rows()


class Errnos(_Generated):
    """``.. circus-errnos::``."""

    def written(self) -> Iterator[str]:
        """Yield the table."""
        return errno_rows()


class Rooms(_Generated):
    """``.. circus-rooms::``."""

    def written(self) -> Iterator[str]:
        """Yield the table."""
        return room_rows()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("circus-options", Options)
    app.add_directive("circus-commands", Commands)
    app.add_directive("circus-streams", Streams)
    app.add_directive("circus-plugins", Plugins)
    app.add_directive("circus-kernel-hooks", KernelHooks)
    app.add_directive("circus-program", Program)
    app.add_directive("circus-events", Events)
    app.add_directive("circus-errnos", Errnos)
    app.add_directive("circus-rooms", Rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
