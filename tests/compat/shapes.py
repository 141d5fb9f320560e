"""A module in a shape that public code has, and a daemon that is run with it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

from tests.compat.conftest import Library
from tests.programs import wait_until

HEAD = """
import os, threading, time
def note(*words):
    with open(os.path.join(os.path.dirname(__file__), "notes"), "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")
"""
SECTIONS = """
[watcher:web]
cmd = sh -c 'echo "$X"; exec sleep 100'
copy_env = True
graceful_timeout = 1
env_command = echo X=computed
{options}
[watcher:other]
cmd = sleep 100
autostart = False
[watcher:short]
cmd = sleep 0.5
{sections}
[env:*]
PYTHONPATH = {folder}
"""


class Shape(NamedTuple):
    """A module, what stands in the watcher's section or beside it, and what is noted at least."""

    module: str
    options: str
    notes: tuple[str, ...]
    sections: str = ""


def plugin(module: str, *notes: str, options: str = "") -> Shape:
    """Return a shape of a plugin."""
    sections = f"[plugin:mine]\nuse = shape.Mine\ncopy_env = True\n{options}"
    return Shape(
        f"from circus.plugins import CircusPlugin\n{textwrap.dedent(module)}", "", notes, sections
    )


def hook(name: str, module: str, *notes: str) -> Shape:
    """Return a shape of a hook."""
    return Shape(textwrap.dedent(module), f"hooks.{name} = shape.hook", notes)


def stream(module: str, *notes: str, options: str = "") -> Shape:
    """Return a shape of a stream."""
    return Shape(textwrap.dedent(module), f"stdout_stream.class = shape.Mine\n{options}", notes)


QUEUE_HOOK = """
def hook(watcher, arbiter, hook_name, **kwargs):
    watcher.env["X"] = "computed"
    return True
"""


def play(library: Library, folder: Path, shape: Shape) -> None:
    """Run a daemon on a shape until all is noted."""
    extra = QUEUE_HOOK if "hook = " not in shape.module and "def hook" not in shape.module else ""
    (folder / "shape.py").write_text(HEAD + shape.module + extra)
    notes = folder / "notes"
    path = f"{folder}:{library.environment.get('PYTHONPATH', '')}"
    inside = Library(library.name, library.python, {**library.environment, "PYTHONPATH": path})
    sections = SECTIONS.format(
        options=shape.options.replace("{folder}", str(folder)),
        sections=shape.sections,
        folder=folder,
    )
    with inside.daemon(folder, sections) as log:
        try:
            wait_until(
                lambda: notes.exists() and {*shape.notes} <= {*notes.read_text().splitlines()}
            )
        except AssertionError:
            told = notes.read_text() if notes.exists() else "nothing"
            raise AssertionError(f"{told}\n{log.read_text()}") from None
