"""Commands by name, for clients that make requests and show replies by them."""

from circus.commands.base import Command, error, get_commands, ok

__all__ = ["Command", "error", "get_commands", "ok"]
