"""circusctl import: the configuration of another tool becomes an ini file.

It asks no daemon. Importers are found by entry point (``cvec_circus.importers``), so a package may
bring one; which one reads a file is told by the file itself, or by --kind.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.import_manual import IMPORT_MANUAL
from cvec_circus_cli.ini_text import ini_text
from cvec_circus_cli.local_command import run_locally
from cvec_circus_cli.output import json_text
from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Imported, ImportProblem, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import Importer

GROUP = "cvec_circus.importers"
_LARGEST = 10_000_000


class ImportLine(Request):
    """What import takes."""

    file: str = prop(REQUIRED, "what the other tool reads", positional=True)
    kind: str | None = prop(None, "which tool it is for, where the file does not tell")
    output: str | None = prop(None, "where to write; standard output if not given", short="o")


class ImportCommand(Command):
    """The command line of import, which no daemon knows."""

    name = "import"
    command_line = ImportLine


ImportCommand.__doc__ = IMPORT_MANUAL


def run_import(settings: Settings, words: Sequence[str]) -> int:
    """Do what the words say, and return the exit code."""
    return run_locally(settings, words, ImportCommand(), _import, (ImportProblem,))


def _import(settings: Settings, arguments: Mapping[str, Any]) -> int:
    path = arguments["file"]
    text = _read(path)
    importer = _importer(path, text, arguments.get("kind"))
    imported = importer.read(path, text)
    head = f"Written by circusctl import from {os.path.basename(path)} ({importer.name})."
    try:
        ini = ini_text(imported, api.visible(head))
    except ImportProblem as error:
        raise ImportProblem(f"{path}: {error}") from None
    output = arguments.get("output")
    if output is not None:
        _write(output, ini, imported)
    if settings.is_json:
        losses = [str(loss) for loss in imported.losses]
        reply = {"status": "ok", "kind": importer.name, "ini": ini, "lost": losses}
        print(json_text(settings, reply))
        return exit_codes.OK
    if output is None:
        print(ini, end="")
    print(api.visible(_summary(imported, path, output)), file=sys.stderr)
    return exit_codes.OK


def _read(path: str) -> str:
    if not os.path.exists(path):
        raise ImportProblem(f"{path} is not there")
    if not os.path.isfile(path):
        raise ImportProblem(f"{path} is no file")
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ImportProblem(f"{path} can not be read: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise ImportProblem(f"{path} is larger than {_LARGEST} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportProblem(f"{path} is not in UTF-8: {error.reason}") from None


def _importer(path: str, text: str, kind: str | None) -> Importer:
    points = {point.name: point for point in entry_points(group=GROUP)}
    if kind is not None and kind not in points:
        known = ", ".join(sorted(points))
        raise ImportProblem(f"--kind is one of {known}, not {kind!r}")
    for name in [kind] if kind is not None else sorted(points):
        try:
            importer: Importer = points[name].load()()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            print(f"circusctl: the importer {name} can not be used: {reason}", file=sys.stderr)
            continue
        if kind is not None or importer.recognizes(path, text):
            return importer
    if kind is not None:
        raise ImportProblem(f"{path} can not be read without the importer {kind}")
    kinds = ", ".join(sorted(points))
    raise ImportProblem(f"{path} tells not which tool it is for; add --kind with one of {kinds}")


def _write(output: str, ini: str, imported: Imported) -> None:
    # Variables may be secrets: who may not read one of the files read may not read this one.
    mode = 0o666
    for file in imported.files:
        mode &= os.stat(file).st_mode
    try:
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode | 0o600)
        with open(fd, "w", encoding="utf-8") as target:
            target.write(ini)
    except FileExistsError:
        raise ImportProblem(f"{output} is already there, and is left as it is") from None
    except OSError as error:
        raise ImportProblem(f"{output} can not be written: {error.strerror}") from None


def _summary(imported: Imported, path: str, output: str | None) -> str:
    counts: dict[str, int] = {}
    for section in imported.sections:
        counts[section.kind] = counts.get(section.kind, 0) + 1
    contents = ", ".join(_counted(count, kind) for kind, count in counts.items())
    target = f" in {output}" if output else ""
    losses = list(dict.fromkeys(map(str, imported.losses)))
    if not losses:
        return f"{path}: {contents}{target}; everything was carried over"
    head = (
        f"{path}: {contents}{target}; {_counted(len(losses), 'setting')} could not be carried over:"
    )
    return "\n".join([head, *(f"  {loss}" for loss in losses)])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
