"""A stream: keeps only the lines that match a pattern.

Its options are the fields of the class. A mistake in them is told before anything starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any

from cvec_circus_core.api import TEXT, Fault, Stream, option


@dataclass(kw_only=True, eq=False)
class FilterStream(Stream):
    """Append the lines that match a regular expression to a file."""

    filename: str = option("", TEXT, "file to append to")
    pattern: str = option("", TEXT, "regular expression that is looked for in every line")
    _wanted: re.Pattern[bytes] = field(init=False, repr=False)
    _file: IO[bytes] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        if not self.filename:
            raise Fault("filename", "is missing")
        try:
            self._wanted = re.compile(self.pattern.encode())
        except re.error as error:
            raise Fault("pattern", f"isn't a regular expression: {error}") from None

    def open(self) -> None:
        """Open the file, at each start of the watcher."""
        # It stays open for as long as the watcher runs.
        self._file = open(self.filename, "ab")  # noqa: SIM115 - see above

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Take one piece of output; it ends with a line's end wherever that is possible."""
        # Lines end at a line feed and nowhere else, as they do here.
        lines = BytesIO(data["data"])
        if self._file is not None:
            self._file.write(b"".join(line for line in lines if self._wanted.search(line)))
            self._file.flush()

    def reopen(self) -> None:
        """Open the file anew: somebody has moved it away."""
        self.close()
        self.open()

    def close(self) -> None:
        """Close the file, when the watcher has stopped."""
        if self._file is not None:
            self._file.close()
            self._file = None
