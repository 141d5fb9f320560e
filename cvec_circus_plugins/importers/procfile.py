"""A Procfile, and the .env beside it, as Heroku, foreman and honcho read them.

Each line is a name and a shell's command. Every process type gets a PORT of its own, a hundred
apart. The variables of .env are read by python-dotenv, which comes with the extra ``import``.
"""

from __future__ import annotations

import os.path
import re

from cvec_circus_core.api import Imported, ImportProblem, SourceLine, literal

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
        variables = _read_env_file(imported, os.path.join(folder, ".env"))
        port = _port(variables, os.path.join(folder, ".env"))
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                sentence = f"{line.strip()!r} is not NAME: COMMAND"
                raise ImportProblem(sentence, SourceLine(path, number))
            name, command = match.groups()
            watcher = imported.add("watcher", name)
            watcher.options |= {"cmd": command, "shell": "yes", "working_dir": folder}
            watcher.env["PORT"] = str(port)
            port += _PORTS_APART
            if name == _ONCE:
                watcher.options |= {"autostart": "no", "respawn": "no"}
                watcher.comments.append("runs once, before a release: circusctl start release")
        if not imported.watchers:
            raise ImportProblem("names no process", SourceLine(path))
        return imported


def _read_env_file(imported: Imported, path: str) -> dict[str, str]:
    if not os.path.isfile(path):
        return {}
    try:
        from dotenv import dotenv_values
    except ImportError:
        sentence = "reading it needs python-dotenv: pip install 'cvec-circus[import]'"
        raise ImportProblem(sentence, SourceLine(path)) from None
    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ImportProblem(f"can not be read: {error}", SourceLine(path)) from None
    imported.files.append(path)
    for name, value in values.items():
        if name != "PORT":
            imported.daemon.set_variable(name, literal(value or ""), SourceLine(path, key=name))
    return {name: value or "" for name, value in values.items()}


def _port(variables: dict[str, str], path: str) -> int:
    text = variables.get("PORT", str(_FIRST_PORT))
    if not text.isdecimal():
        raise ImportProblem(f"is no number: {text!r}", SourceLine(path, key="PORT"))
    return int(text)
