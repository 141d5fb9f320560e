"""Files as streams."""

from cvec_circus_plugins.streams.file import FileStream
from cvec_circus_plugins.streams.timed_file import TimedRotatingFileStream
from cvec_circus_plugins.streams.watched_file import WatchedFileStream

__all__ = ["FileStream", "TimedRotatingFileStream", "WatchedFileStream"]
