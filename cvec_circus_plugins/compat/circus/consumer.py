"""A subscriber to events."""

from cvec_circus_core.api import CircusConsumer

__all__ = ["CircusConsumer"]
