"""LabelledStream: a file in which every line says whose it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from cvec_circus_core.api import TEXT, Fault, Stream, option

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(kw_only=True, eq=False)
class LabelledStream(Stream):
    """Append lines to a file, each after the name of its watcher and the number of its worker."""

    filename: str = option("", TEXT, "file to append to")
    _file: IO[bytes] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        if not self.filename:
            raise Fault("filename", "is missing")

    def open(self) -> None:
        """Open the file, at each start of the watcher."""
        # It stays open for as long as the watcher runs.
        self._file = open(self.filename, "ab", buffering=0)  # noqa: SIM115 - see above

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write the lines of one piece."""
        label = f"{data['watcher']} {data['wid']}: ".encode()
        if self._file is not None:
            self._file.write(b"".join(label + line for line in BytesIO(data["data"])))

    def reopen(self) -> None:
        """Open the file anew: somebody has moved it away."""
        self.close()
        self.open()

    def close(self) -> None:
        """Close the file, when the watcher has stopped."""
        if self._file is not None:
            self._file.close()
            self._file = None
