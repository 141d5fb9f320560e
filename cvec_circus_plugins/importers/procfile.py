"""A Procfile, and the .env beside it, as Heroku, foreman and honcho read them.

Each line is a name and a shell's command. Every process type gets a PORT of its own, a hundred
apart. The variables of .env stay there: each process reads them when it starts.
"""

from __future__ import annotations

import os.path
import re

from cvec_circus_core.api import Imported, ImportProblem, SourceLine

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(.+)")
_FIRST_PORT = 5000
_PORTS_APART = 100
_ONCE = "release"


class ProcfileImporter:
    """Reads a Procfile."""

    name = "procfile"
    summary = "a Procfile"

    def recognizes(self, path: str, text: str) -> bool:
        """Tell by its name: Procfile, Procfile.dev, web.Procfile."""
        return "procfile" in os.path.basename(path).lower().split(".")

    def read(self, path: str, text: str) -> Imported:
        """Read it and the .env beside it. Raises `ImportProblem`."""
        folder = os.path.dirname(os.path.abspath(path))
        imported = Imported(files=[path])
        imported.daemon.comments += [
            "a process that ends is started again, where foreman and honcho end all others",
            "output of processes: circusctl tail",
        ]
        env_file = os.path.join(folder, ".env")
        port = _first_port(env_file)
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                sentence = f"{line.strip()!r} is not NAME: COMMAND"
                raise ImportProblem(sentence, SourceLine(path, number))
            name, command = match.groups()
            watcher = imported.add("watcher", name)
            watcher.options |= {"cmd": command, "shell": "yes", "working_dir": folder}
            if os.path.isfile(env_file):
                watcher.options["env_file"] = ".env"
            watcher.env["PORT"] = str(port)
            port += _PORTS_APART
            if name == _ONCE:
                watcher.options |= {"autostart": "no", "respawn": "no"}
                watcher.comments.append("runs once, before a release: circusctl start release")
        if not imported.watchers:
            raise ImportProblem("names no process", SourceLine(path))
        return imported


def _first_port(path: str) -> int:
    """Return the port of the first process type: PORT of the .env, where it has one."""
    if not os.path.isfile(path):
        return _FIRST_PORT
    from dotenv import dotenv_values  # a Procfile without it needs no reader

    try:
        text = dotenv_values(path, interpolate=False).get("PORT") or str(_FIRST_PORT)
    except (OSError, UnicodeDecodeError) as error:
        raise ImportProblem(f"can not be read: {error}", SourceLine(path)) from None
    if not text.isdecimal():
        raise ImportProblem(f"is no number: {text!r}", SourceLine(path, key="PORT"))
    return int(text)
