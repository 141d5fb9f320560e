"""The plugin CommandReloader."""

from cvec_circus_plugins.command_reloader import CommandReloader

__all__ = ["CommandReloader"]
