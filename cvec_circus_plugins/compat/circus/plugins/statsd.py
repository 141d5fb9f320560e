"""Plugins that tell a statsd server, and the client that they use."""

from cvec_circus_plugins.statsd import FullStats, StatsdClient, StatsdEmitter
from cvec_circus_plugins.statsd import Observer as BaseObserver

__all__ = ["BaseObserver", "FullStats", "StatsdClient", "StatsdEmitter"]
