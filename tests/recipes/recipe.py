"""Applies a recipe to a copy of the packages.

A recipe is a folder beside this file: new modules, ``entry_point.toml`` with what goes into
pyproject.toml, and ``change.diff`` with changes of files that are there. The diff has no line
numbers: every hunk must fit in exactly one place.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

RECIPES = Path(__file__).parent
ROOT = RECIPES.parent.parent
PACKAGES = ("cvec_circus_core", "cvec_circus_plugins", "cvec_circus_cli")
NEW_FILES = {
    "command": ("cvec_circus_plugins/commands/wids.py",),
    "stream": ("cvec_circus_plugins/streams/labelled.py",),
    "probe": ("cvec_circus_plugins/tcp_observer.py",),
    "plugin": ("cvec_circus_plugins/crash_log.py",),
    "importer": ("cvec_circus_plugins/importers/inittab.py",),
    "console": (
        "cvec_circus_plugins/states_page.py",
        "cvec_circus_plugins/states_page_templates/states.html",
    ),
}
"""The files that each recipe adds."""


def apply(recipe: str, folder: Path) -> None:
    """Copy the packages, and the tests that the recipe changes, and follow the recipe."""
    for package in PACKAGES:
        # With what is compiled: Python tells by a file's time and size whether it still fits.
        shutil.copytree(ROOT / package, folder / package)
    source = RECIPES / recipe
    for path in NEW_FILES.get(recipe, ()):
        added = folder / path
        assert not added.exists()
        added.parent.mkdir(exist_ok=True)
        shutil.copyfile(source / added.name, added)
    if (source / "entry_point.toml").exists():
        _add_entry_points(source / "entry_point.toml", folder / "recipe-1.0.dist-info")
    for path, old, new in hunks(recipe):
        changed = folder / path
        if not changed.exists():
            changed.parent.mkdir(parents=True)
            shutil.copyfile(ROOT / path, changed)
        text = changed.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{recipe}: this is not once in {path}:\n{old}"
        changed.write_text(text.replace(old, new), encoding="utf-8")


def hunks(recipe: str) -> Iterator[tuple[str, str, str]]:
    """Yield the hunks of a recipe: path, lines before, lines after."""
    diff = RECIPES / recipe / "change.diff"
    if not diff.exists():
        return
    for part in diff.read_text(encoding="utf-8").split("--- ")[1:]:
        head, *bodies = part.split("@@\n")
        path = head.split()[0]
        assert bodies
        for body in bodies:
            lines = body.splitlines(keepends=True)
            assert {line[0] for line in lines} <= {" ", "-", "+"}
            old = "".join(line[1:] for line in lines if line[0] != "+")
            new = "".join(line[1:] for line in lines if line[0] != "-")
            yield path, old, new


def files_of(recipe: str) -> set[str]:
    """Return the files that a recipe touches."""
    paths = {path for path, _, _ in hunks(recipe)}
    if (RECIPES / recipe / "entry_point.toml").exists():
        paths.add("pyproject.toml")
    return paths.union(NEW_FILES.get(recipe, ()))


def _add_entry_points(declared: Path, info: Path) -> None:
    """Have what a reinstallation would make of pyproject.toml."""
    groups = tomllib.loads(declared.read_text(encoding="utf-8"))["project"]["entry-points"]
    info.mkdir()
    metadata = "Metadata-Version: 2.1\nName: recipe\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
