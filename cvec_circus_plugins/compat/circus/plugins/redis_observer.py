"""The plugin RedisObserver."""

from cvec_circus_plugins.redis_observer import RedisObserver

__all__ = ["RedisObserver"]
