"""Files as streams, with the method that subclasses of the older ones override."""

from collections.abc import Mapping
from typing import Any

from cvec_circus_plugins.streams.file import FileStream as _FileStream
from cvec_circus_plugins.streams.timed_file import TimedRotatingFileStream as _TimedStream
from cvec_circus_plugins.streams.watched_file import WatchedFileStream as _WatchedStream

__all__ = ["FileStream", "TimedRotatingFileStream", "WatchedFileStream"]


class FileStream(_FileStream):
    """A file, rotated by size."""

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write one piece of output."""
        self.write_data(data)

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write one piece of output; overridden where it is to go elsewhere."""
        super().__call__(data)


class TimedRotatingFileStream(_TimedStream):
    """A file, rotated by time."""

    __call__ = FileStream.__call__

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write one piece of output; overridden where it is to go elsewhere."""
        super().__call__(data)


class WatchedFileStream(_WatchedStream):
    """A file that others rotate."""

    __call__ = FileStream.__call__

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write one piece of output; overridden where it is to go elsewhere."""
        super().__call__(data)
