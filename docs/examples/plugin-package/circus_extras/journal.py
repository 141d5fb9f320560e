"""A plugin: writes down what happens, a line of JSON per event.

It runs in a process of its own, or, with ``isolate = False``, in a thread of the daemon; the class
can not tell which. Options are declared once, and are values when they are used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from cvec_circus_core.api import BOOLEAN, TEXT, CircusPlugin, ConfigError, option


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """Where the journal is, and what stands in it."""

    filename: str = option("", TEXT, "file that lines are appended to")
    bodies: bool = option(True, BOOLEAN, "write what is known about an event, not only its name")

    def __post_init__(self) -> None:
        """Say what is missing. Raises `ConfigError`."""
        if not self.filename:
            raise ConfigError("the journal needs a filename")


class Journal(CircusPlugin):
    """Writes a line of JSON for every event into a file."""

    name = "journal"
    settings_type: ClassVar[type[JournalSettings]] = JournalSettings
    settings: JournalSettings
    file: IO[str]

    def handle_init(self) -> None:
        """Open the file. Raises `ConfigError`, whose sentence stands in the log."""
        name = self.settings.filename
        try:
            # It stays open for as long as the plugin runs.
            self.file = open(name, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - see above
        except OSError as error:
            raise ConfigError(f"the journal can not be written: {error}") from None

    def handle_recv(self, data: Any) -> None:
        """Write one event down."""
        watcher, event, message = self.split_data(data)
        body = self.load_message(message)
        line = {"watcher": body.get("watcher", watcher), "event": event}
        if self.settings.bodies:
            line["body"] = body
        self.file.write(json.dumps(line) + "\n")

    def handle_stop(self) -> None:
        """Close the file."""
        self.file.close()
