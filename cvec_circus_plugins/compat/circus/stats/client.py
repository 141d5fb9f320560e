"""A subscriber to statistics."""

from circus.util import DEFAULT_ENDPOINT_STATS
from cvec_circus_core.api import StatsClient

__all__ = ["DEFAULT_ENDPOINT_STATS", "StatsClient"]
