"""Plugins that tell a statsd server, and the client that they use."""

from cvec_circus_plugins.statsd import (
    FullStats,
    Observer as BaseObserver,
    StatsdClient,
    StatsdEmitter,
)

__all__ = ["BaseObserver", "FullStats", "StatsdClient", "StatsdEmitter"]
