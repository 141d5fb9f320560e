"""The plugin Flapping."""

from cvec_circus_plugins.flapping import Flapping

__all__ = ["Flapping"]
