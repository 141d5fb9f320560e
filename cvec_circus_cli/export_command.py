"""circusctl export: watchers become the configuration of another tool.

It asks no daemon. Exporters are found by entry point (``cvec_circus.exporters``), so a package may
bring one. What an exporter does not say it has carried over is listed here, for all alike.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import UsageError
from cvec_circus_cli.export_manual import EXPORT_MANUAL
from cvec_circus_cli.local_command import run_locally
from cvec_circus_cli.output import json_text
from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Exported, ExportSource, Request, prop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import Exporter, WatcherSpec

GROUP = "cvec_circus.exporters"


class ExportProblem(ValueError):
    """A file can not be exported; the text says why."""


class ExportLine(Request):
    """What export takes."""

    kind: str = prop(REQUIRED, "which tool to write for", positional=True)
    file: str = prop(REQUIRED, "configuration of a daemon or a fleet", positional=True)
    output: str | None = prop(
        None, "folder to write into; standard output if not given", short="o", metavar="FOLDER"
    )


class ExportCommand(Command):
    """The command line of export, which no daemon knows."""

    name = "export"
    command_line = ExportLine


ExportCommand.__doc__ = EXPORT_MANUAL


def run_export(settings: Settings, words: Sequence[str]) -> int:
    """Do what the words say, and return the exit code."""
    return run_locally(settings, words, ExportCommand(), _export, (ExportProblem, api.BadConfig))


def _export(settings: Settings, arguments: Mapping[str, Any]) -> int:
    exporter = _exporter(arguments["kind"])
    source = _source(arguments["file"])
    try:
        exported = exporter.write(source)
    except ValueError as error:
        raise ExportProblem(str(error)) from None
    losses = list(dict.fromkeys([*exported.losses, *_losses(exporter, source, exported)]))
    output = arguments.get("output")
    if output is not None:
        _write(output, exported.files)
    if settings.is_json:
        reply = {"status": "ok", "kind": exporter.name, "files": exported.files, "lost": losses}
        print(json_text(settings, reply))
        return exit_codes.OK
    if output is None:
        is_several = len(exported.files) > 1
        for name, text in exported.files.items():
            print(f"# {name}\n{text}" if is_several else text, end="\n" if is_several else "")
    counted = "1 watcher" if len(source.watchers) == 1 else f"{len(source.watchers)} watchers"
    head = f"{source.file}: {counted} as {exporter.summary}"
    end = "; everything was carried over" if not losses else "; not carried over:"
    print(api.visible("\n  ".join([head + end, *losses])), file=sys.stderr)
    return exit_codes.OK


def _exporter(kind: str) -> Exporter:
    points = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in points:
        raise UsageError(f"KIND is one of {', '.join(sorted(points))}, not {kind!r}")
    try:
        exporter: Exporter = points[kind].load()()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ExportProblem(f"the exporter {kind} can not be used: {reason}") from None
    return exporter


def _source(path: str) -> ExportSource:
    from pathlib import Path

    formats = [point.load()() for point in entry_points(group="cvec_circus.formats")]
    if not os.path.isfile(path):
        raise ExportProblem(
            f"{path} is no file" if os.path.exists(path) else f"{path} is not there"
        )
    loaded = api.load(Path(path), formats, os.environ)
    if loaded.problems:
        raise api.BadConfig(loaded.problems)
    if not loaded.watchers:
        raise ExportProblem(f"{path} has no watcher")
    return ExportSource(path, loaded.watchers, loaded.sockets)


def _losses(exporter: Exporter, source: ExportSource, exported: Exported) -> Iterator[str]:
    for spec in source.watchers:
        carried = exported.carried.get(spec.name, frozenset())
        for name in _configured(spec):
            if name not in carried:
                hint = exporter.hints.get(name, "nothing there is like it")
                yield f"watcher {spec.name}: {name}: {hint}"


def _configured(spec: WatcherSpec) -> Iterator[str]:
    """Yield the names of all options that are other than by default, as they are written."""
    usual = api.WatcherSpec(name=spec.name)
    declared = api.declared_options(api.WatcherSpec)
    for name in (*declared, *api.declared_families(api.WatcherSpec)):
        is_inert = name in declared and declared[name].inert
        if not is_inert and getattr(spec, name) != getattr(usual, name):
            yield name
    yield from spec.extra


def _write(output: str, files: Mapping[str, str]) -> None:
    try:
        os.makedirs(output, exist_ok=True)
        for name in files:
            if os.path.lexists(os.path.join(output, name)):
                raise ExportProblem(f"{output}/{name} is already there, and nothing is written")
        for name, text in files.items():
            # Variables may be secrets.
            path = os.path.join(output, name)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ExportProblem(f"{output} can not be written: {error.strerror}") from None
