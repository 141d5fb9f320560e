"""CommandReloader: a watcher whose program has changed is reloaded.

What the program of a watcher is, its options tell; they are asked for again when an event says that
they may be others. Single files are looked at every ``loop_rate`` seconds, directories tell by
themselves (`_directories.py`). A file that has changed must look the same at two looks, so that
nothing is started that is only half written.
"""

from __future__ import annotations

import logging
import os.path
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import BOOLEAN, NAMES, CircusPlugin, ConfigError, option
from cvec_circus_plugins._program_files import (
    FileFilter,
    Fingerprint,
    fingerprint,
    program_files,
    working_dir,
)

if TYPE_CHECKING:
    from cvec_circus_plugins._directories import DirectoryWatcher

log = logging.getLogger("circus.plugins.command_reloader")

PLUGIN_PREFIX = "plugin:"
PREFIX = "command_reloader."
WATCHER_OPTIONS = ("active", "action", "arguments", "paths", "patterns", "ignore")
"""Options that a watcher may have of its own."""
FULL_REFRESH = 60.0
"""Seconds after which all options are asked for again: an event may have been missed."""


@dataclass(frozen=True, kw_only=True)
class ReloaderSettings:
    """Which files count, for whom, and what follows."""

    loop_rate: float = option(1.0, api.at_least(api.DURATION, 0.01), "seconds between two looks")
    watchers: tuple[str, ...] = option(
        ("*",), NAMES, "names of watchers, or patterns such as ``web*``"
    )
    active: bool = option(True, BOOLEAN, "false leaves watchers alone, all of them or this one")
    action: str = option(
        "reload", api.one_of("reload", "restart"), "what is done when something has changed"
    )
    arguments: bool = option(
        False, BOOLEAN, "look at the files among the arguments of the command, too: scripts"
    )
    paths: tuple[str, ...] = option(
        (), api.WORDS, "more files, and directories with all below, as seen from ``working_dir``"
    )
    patterns: tuple[str, ...] = option(
        (), NAMES, "which files in directories count, such as ``*.py``; all when not given"
    )
    ignore: tuple[str, ...] = option((), NAMES, "files and directories that do not count")
    settle: float = option(
        0.5,
        api.at_least(api.DURATION, 0),
        "seconds of rest in directories until changes count: tools write many files",
    )

    def of_watcher(self, options: Mapping[str, Any], name: str) -> ReloaderSettings:
        """Return the settings with what a watcher's own options say."""
        overrides: dict[str, Any] = {}
        declared = api.declared_options(ReloaderSettings)
        for key in WATCHER_OPTIONS:
            if (value := options.get(PREFIX + key)) is None:
                continue
            try:
                overrides[key] = api.read_option(declared[key], value)
            except api.Fault as fault:
                log.warning("watcher %s: %s %s: %r", name, PREFIX + key, fault.sentence, value)
        return replace(self, **overrides)


@dataclass(slots=True)
class WatchedProgram:
    """What is known of one watcher."""

    settings: ReloaderSettings
    files: dict[Path, Fingerprint | None]
    """What each looked like when the processes that run now were started."""
    directories: tuple[Path, ...] = ()
    changing: dict[Path, Fingerprint] = field(default_factory=dict)
    """What those that have changed looked like last."""
    touched: Path | None = None
    """A file in a directory that has changed."""
    touched_at: float = 0.0

    def changed_file(self, now: float) -> Path | None:
        """Look at the files, and return one that has changed and come to rest."""
        settled = self.touched if now - self.touched_at >= self.settings.settle else None
        for path, before in self.files.items():
            current = fingerprint(path)
            if current is None or current == before:
                self.changing.pop(path, None)  # It may be on its way to be replaced.
            elif self.changing.get(path) == current:
                settled = path
            else:
                self.changing[path] = current
        return settled

    def accept(self, now: float) -> None:
        """Take it that the processes will be those of the files as they are."""
        self.files.update(self.changing)
        self.changing.clear()
        if now - self.touched_at >= self.settings.settle:
            self.touched = None

    @classmethod
    def from_options(
        cls, settings: ReloaderSettings, options: Mapping[str, Any], previous: WatchedProgram | None
    ) -> WatchedProgram:
        """Return the program that options tell of, with what is known of it already."""
        files = set(program_files(options, with_arguments=settings.arguments))
        paths = [working_dir(options) / name for name in settings.paths]
        files.update(path for path in paths if os.path.isfile(path))
        before = previous.files if previous is not None else {}
        program = cls(
            settings,
            {path: before.get(path) or fingerprint(path) for path in files},
            tuple(path for path in paths if not os.path.isfile(path)),
        )
        if previous is not None:
            program.changing, program.touched = previous.changing, previous.touched
            program.touched_at = previous.touched_at
        return program


class CommandReloader(CircusPlugin):
    """Reloads a watcher when the file of its command has changed.

    In the section of a watcher, options have the prefix ``command_reloader.``. Directories need the
    package watchfiles: ``pip install 'cvec-circus[reloader]'``.
    """

    name = "command_reloader"
    kinds = frozenset({"add", "remove", "start", "updated"})
    settings_type: ClassVar[type[ReloaderSettings]] = ReloaderSettings
    settings: ReloaderSettings

    def handle_config(self) -> None:
        """Begin to look, every ``loop_rate`` seconds."""
        self.programs: dict[str, WatchedProgram] = {}
        self._stale: set[str] = set()
        self._full_refresh_at = 0.0
        self._directories: DirectoryWatcher | None = None
        self.every(self.settings.loop_rate, self.look_after)

    async def handle_init(self) -> None:
        """Learn what there is. Raises `ConfigError`."""
        if self.settings.paths:
            self._directories = self._make_directory_watcher()
        await self._learn()
        log.info("command_reloader: looking after %s", ", ".join(self.programs) or "nobody yet")

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Take in that the options of a watcher may be others."""
        watcher, event, message = self.split_data(data)
        name = str(self.load_message(message).get("watcher") or watcher)
        if event == "remove":
            self.programs.pop(name, None)
        else:
            self._stale.add(name)

    async def handle_stop(self) -> None:
        """Watch no directories any more."""
        if self._directories is not None:
            await self._directories.close()

    async def look_after(self) -> None:
        """Look at all files, and act where one has changed."""
        await self._learn()
        for name, program in tuple(self.programs.items()):
            if (path := program.changed_file(self._now())) is not None:
                program.accept(self._now())  # Already now, since more may change meanwhile.
                if not await self._act(name, program, path):
                    program.touched = path

    async def _act(self, name: str, program: WatchedProgram, path: Path) -> bool:
        if (await self.ask("status", name=name)).get("status") != "active":
            return True  # Anyone who starts it starts what is there.
        action = program.settings.action
        log.info("watcher %s: %s has changed; %s follows", name, api.escaped(path), action)
        reply = await self.ask(action, name=name)
        return bool(reply.get("status") != "error")

    async def _learn(self) -> None:
        """Ask for the options of those that may have others now."""
        if self._now() >= self._full_refresh_at:
            reply = await self.ask("list")
            if reply.get("status") == "error":
                return
            self._stale.update(reply["watchers"])
            for name in self.programs.keys() - set(reply["watchers"]):
                del self.programs[name]
            self._full_refresh_at = self._now() + FULL_REFRESH
        while self._stale:
            await self._learn_of(self._stale.pop())
        if self._directories is not None:
            self._directories.watch(
                path for program in self.programs.values() for path in program.directories
            )

    async def _learn_of(self, name: str) -> None:
        is_selected = any(
            fnmatchcase(name.lower(), watcher.lower()) for watcher in self.settings.watchers
        )
        if not is_selected or name.startswith(PLUGIN_PREFIX):
            return
        options = (await self.ask("options", name=name)).get("options")
        if options is None:
            return
        settings = self.settings.of_watcher(options, name)
        if not settings.active:
            self.programs.pop(name, None)
            return
        self.programs[name] = WatchedProgram.from_options(
            settings, options, self.programs.get(name)
        )
        if self.programs[name].directories and self._directories is None:
            try:
                self._directories = self._make_directory_watcher()
            except ConfigError as error:
                log.warning("watcher %s: %s", name, error)

    def _touch(self, paths: Iterable[Path]) -> None:
        changed = tuple(paths)
        for program in self.programs.values():
            file_filter = FileFilter(program.settings.patterns, program.settings.ignore)
            for directory in program.directories:
                if (path := file_filter.first_match(directory, changed)) is not None:
                    program.touched, program.touched_at = path, self._now()

    def _make_directory_watcher(self) -> DirectoryWatcher:
        try:
            module = import_module("cvec_circus_plugins._directories")
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"paths needs {error.name}: pip install 'cvec-circus[reloader]'"
            ) from None
        watcher: DirectoryWatcher = module.DirectoryWatcher(self._touch)
        return watcher

    def _now(self) -> float:
        assert self.loop is not None
        return self.loop.time()
