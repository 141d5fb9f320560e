"""The inittab of SysV init: what it keeps running becomes a watcher, and the rest is named."""

from __future__ import annotations

import os.path

from cvec_circus_core.api import Imported, ImportProblem, SourceLine


class InittabImporter:
    """Reads an inittab."""

    name = "inittab"
    summary = "the inittab of SysV init"

    def recognizes(self, path: str, text: str) -> bool:
        """Tell by its name."""
        return os.path.basename(path) == "inittab"

    def read(self, path: str, text: str) -> Imported:
        """Read it. Raises `ImportProblem`."""
        imported = Imported(files=[path])
        for number, line in enumerate(text.splitlines(), 1):
            entry, origin = line.strip(), SourceLine(path, number)
            if not entry or entry.startswith("#"):
                continue
            fields = entry.split(":", 3)
            if len(fields) < 4:
                raise ImportProblem(f"{entry!r} is not ID:LEVELS:ACTION:COMMAND", origin)
            identifier, _, action, command = fields
            if action == "respawn":
                imported.add("watcher", identifier).options["cmd"] = command
            else:
                imported.daemon.lose(origin, f"{action} has no counterpart: {command}")
        return imported
