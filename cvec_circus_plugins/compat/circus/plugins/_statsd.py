"""The oldest home of the statsd plugin."""

from cvec_circus_plugins.statsd import StatsdEmitter

__all__ = ["StatsdEmitter"]
