"""What the streams that write files have in common: whose the file is, and its life."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Stream, option
from cvec_circus_plugins.streams._append_file import AppendedFile, Place, temporary_path
from cvec_circus_plugins.streams._line_prefix import Stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_OR_NONE = api.or_none(api.TEXT)
ACCOUNT_OR_NONE = api.or_none(api.ACCOUNT)
MODE_OR_NONE = api.or_none(api.OCTAL)
COUNT = api.at_least(api.INTEGER, 0)
BYTES = api.at_least(api.SIZE, 0)


@dataclass(kw_only=True, eq=False)
class FileKeeper(Stream):
    """Keeps a file open while its watcher runs."""

    filename: str | None = option(
        None, TEXT_OR_NONE, "file to append to; a temporary one when not given", positional=True
    )
    mode: int | None = option(
        None, MODE_OR_NONE, "permissions of the file; what the umask leaves when not given"
    )
    user: int | str | None = option(None, ACCOUNT_OR_NONE, "owner of the file; needs root")
    group: int | str | None = option(None, ACCOUNT_OR_NONE, "group of the file")
    _file: AppendedFile = field(init=False, repr=False)
    _log: api.WriteLog = field(init=False, repr=False, default=api.NO_LOG)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        self.may_hang = self.filename is not None and api.is_remote(api.by_name(self.filename))
        self.in_loop = not self.may_hang

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return hasattr(self, "_file") and self._file.is_open

    def open(self) -> None:
        """Open the file. Raises `SystemProblem`."""
        if self.is_open:
            return
        if self.filename is None:
            self.filename = temporary_path()
        self._file = AppendedFile(self.place(api.by_name(self.filename)))
        self._file.log = self._log
        self._open_file()

    def _open_file(self) -> None:
        self._file.open()
        if not self._file.is_plain:
            # The process at its other end may make us wait.
            self.in_loop = False

    def place(self, path: str) -> Place:
        """Return a file of these options."""
        return Place(path, self.mode, self.user, self.group)

    def reopen(self) -> None:
        """Open the file anew by its name, in case that it was moved away."""
        if self.is_open:
            self._open_file()

    def close(self) -> None:
        """Close the file."""
        if self.is_open:
            self._file.close()


@dataclass(kw_only=True, eq=False)
class FileWriter(FileKeeper):
    """Appends output to a file: byte by byte as it came, or with something before every line."""

    time_format: str | None = option(
        None, TEXT_OR_NONE, "strftime format; with it, every line begins with ``TIME [PID] |``"
    )
    prefix: str | None = option(
        None,
        TEXT_OR_NONE,
        "text before every line, in which {time}, {pid}, {wid}, {watcher} and {name} are filled in",
    )
    _stamp: Stamp | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Read all options."""
        super().__post_init__()
        if self.time_format is not None or self.prefix is not None:
            self.whole_lines = True
            self._stamp = Stamp(self.time_format, self.prefix)

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Append one piece of output."""
        at = data.get("timestamp")
        moment = api.unix_time() if at is None else float(at)
        if not self.is_open:
            self.open()
        in_loop = self.in_loop
        trouble: OSError | api.SystemProblem | None = None
        try:
            self.prepare(moment)
        except (OSError, api.SystemProblem) as error:
            # Output is not lost because an old file can not be put away.
            trouble = error
        if in_loop and not self.in_loop:
            raise api.TakesLong
        text = data["data"] if self._stamp is None else self._stamp(data, moment)
        if self._file.is_plain:
            self._log.begin(text)
        self._write_counted(text)
        if trouble is not None:
            _note_loss(trouble, 0)
            raise trouble

    def use_journal(self, log: api.WriteLog) -> None:
        """Note what is about to be written from now on."""
        self._log = log

    def finish(self, text: bytes) -> None:
        """Write what an earlier daemon was about to write. Raises OSError, `SystemProblem`."""
        self._write_counted(text)

    def _write_counted(self, text: bytes) -> None:
        end = self._file.appended + len(text)
        try:
            self.write(text)
        except (OSError, api.SystemProblem) as error:
            _note_loss(error, end - self._file.appended)
            raise

    def prepare(self, at: float) -> None:
        """Be told, before something is written, what time it is."""

    def write(self, text: bytes) -> None:
        """Write what is ready to be written."""
        self._file.write(text)

    def rename(self, suffix: str) -> None:
        """Add a suffix to the name of the file, in its folder, and begin a new one."""
        with api.hold(self._file.path) as spot:
            spot.rename(spot.name + suffix)
        self._open_file()


def _note_loss(error: OSError | api.SystemProblem, lost: int) -> None:
    error.lost_bytes = lost  # type: ignore[union-attr]
