"""The plugin ResourceWatcher."""

from cvec_circus_plugins.resource_watcher import ResourceWatcher

__all__ = ["ResourceWatcher"]
