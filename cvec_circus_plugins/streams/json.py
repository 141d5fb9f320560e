"""JsonStream: one JSON object per line of output."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Stream, option
from cvec_circus_plugins.streams._file_writer import (
    ACCOUNT_OR_NONE,
    BYTES,
    COUNT,
    MODE_OR_NONE,
    TEXT_OR_NONE,
)
from cvec_circus_plugins.streams.file import FileStream
from cvec_circus_plugins.streams.stdout import StdoutStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cvec_circus_core.api import Fault


@dataclass(kw_only=True, eq=False)
class JsonStream(Stream):
    r"""Write an object per line, to a file or to the daemon's standard output.

    Its members are ``time`` (ISO 8601, UTC), ``watcher``, ``wid``, ``pid``, ``stream`` and
    ``line``. Bytes that are no UTF-8 are written as ``\xff``. A line that was delivered before its
    end has ``partial``.
    """

    filename: str | None = option(
        None, TEXT_OR_NONE, "file to append to; standard output when not given"
    )
    max_bytes: int = option(0, BYTES, "size at which a new file is begun; 0 for never")
    backup_count: int = option(0, COUNT, "how many older files are kept")
    gzip: bool = option(False, api.BOOLEAN, "compress older files")
    mode: int | None = option(None, MODE_OR_NONE, "permissions of the file")
    user: int | str | None = option(None, ACCOUNT_OR_NONE, "owner of the file; needs root")
    group: int | str | None = option(None, ACCOUNT_OR_NONE, "group of the file")
    _out: FileStream | StdoutStream = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        self.whole_lines = True
        if self.filename is None:
            self._out = StdoutStream()
            return
        self._out = FileStream(
            filename=self.filename,
            max_bytes=self.max_bytes,
            backup_count=self.backup_count,
            gzip=self.gzip,
            mode=self.mode,
            user=self.user,
            group=self.group,
        )

    def open(self) -> None:
        """Open the file. Raises `SystemProblem`."""
        if isinstance(self._out, FileStream):
            self._out.open()

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write the lines of one piece."""
        at = data.get("timestamp")
        moment = datetime.fromtimestamp(api.unix_time() if at is None else at, UTC)
        shared = {
            "time": moment.isoformat(timespec="milliseconds"),
            **{key: data[key] for key in ("watcher", "wid", "pid") if key in data},
            "stream": data["name"],
        }
        # What is the same for all lines of a piece is written once; it is most of each.
        head = json.dumps(shared, ensure_ascii=False)[:-1] + ', "line": '
        lines = data["data"].decode(errors="backslashreplace").split("\n")
        last = lines.pop()
        text = "".join([f"{head}{encode_basestring(line)}}}\n" for line in lines])
        if last:
            text += f'{head}{encode_basestring(last)}, "partial": true}}\n'
        self._out({**data, "data": text.encode()})

    def use_journal(self, log: api.WriteLog) -> None:
        """Note what is about to be written from now on."""
        if isinstance(self._out, FileStream):
            self._out.use_journal(log)

    def finish(self, text: bytes) -> None:
        """Write what an earlier daemon was about to write."""
        if isinstance(self._out, FileStream):
            self._out.finish(text)

    def doubts(self) -> Iterator[Fault]:
        """Find a file that is none."""
        return self._out.doubts()

    def reopen(self) -> None:
        """Open the file anew."""
        if isinstance(self._out, FileStream):
            self._out.reopen()

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._out, FileStream):
            self._out.close()
