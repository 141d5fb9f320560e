"""The plugin HttpObserver."""

from cvec_circus_plugins.http_observer import HttpObserver

__all__ = ["HttpObserver"]
