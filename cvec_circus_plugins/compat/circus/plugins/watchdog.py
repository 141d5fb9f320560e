"""The plugin WatchDog."""

from cvec_circus_plugins.watchdog import WatchDog

__all__ = ["WatchDog"]
