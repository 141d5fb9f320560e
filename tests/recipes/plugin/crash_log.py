"""CrashLog: a line in a file for every process that has ended badly by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any, ClassVar

from cvec_circus_core.api import TEXT, CircusPlugin, ConfigError, option


@dataclass(frozen=True, kw_only=True)
class CrashLogSettings:
    """Where the lines go."""

    filename: str = option("", TEXT, "file that lines are appended to")

    def __post_init__(self) -> None:
        """Say what is missing. Raises `ConfigError`."""
        if not self.filename:
            raise ConfigError("the crash log needs a filename")


class CrashLog(CircusPlugin):
    """Writes watcher, pid and exit code of every process that has ended badly by itself."""

    name = "crash_log"
    settings_type: ClassVar[type[CrashLogSettings]] = CrashLogSettings
    settings: CrashLogSettings
    file: IO[str]

    def handle_init(self) -> None:
        """Open the file. Raises `ConfigError`, whose sentence stands in the log."""
        try:
            # It stays open for as long as the plugin runs.
            self.file = open(  # noqa: SIM115 - see above
                self.settings.filename, "a", encoding="utf-8", buffering=1
            )
        except OSError as error:
            raise ConfigError(f"the crash log can not be written: {error}") from None

    def handle_recv(self, data: Any) -> None:
        """Look at one event."""
        _, event, message = self.split_data(data)
        if event != "reap":
            return
        body = self.load_message(message)
        if body["reason"] == "exited" and body["exit_code"] != 0:
            self.file.write(f"{body['watcher']} {body['process_pid']} {body['exit_code']}\n")

    def handle_stop(self) -> None:
        """Close the file."""
        self.file.close()
