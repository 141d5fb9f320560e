"""Exits that are answered with a new process, where another tool tells them apart."""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus_core.api import ImportedSection, SourceLine


def restart_unless(watcher: ImportedSection, codes: Iterable[str], origin: SourceLine) -> None:
    """Have every exit answered but those with one of these codes."""
    listed = " ".join(dict.fromkeys(codes))
    watcher.options["respawn"] = "yes"
    watcher.lose(origin, f"a process that ends with {listed} is started again, too")
