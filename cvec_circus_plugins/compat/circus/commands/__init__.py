"""Commands by name, for clients that make requests and show replies by them."""

from circus.commands.base import Command, get_commands

__all__ = ["Command", "get_commands"]
