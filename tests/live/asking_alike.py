"""A hook and a plugin that set an option of a watcher when they are told to."""

from __future__ import annotations

from typing import Any

from cvec_circus_core import CircusPlugin

OPTIONS = {"priority": 0, "warmup_delay": 0.0}
"""What the watcher has already."""


def set_options(**told: Any) -> bool:
    """Set them, as a hook before a signal."""
    for key, value in OPTIONS.items():
        told["watcher"].set_opt(key, value)
    return True


class Setter(CircusPlugin):
    """Sets them at an event with its own name."""

    name = "setter"

    async def handle_recv(self, data: Any) -> None:
        """Hear an event."""
        _, event, _ = self.split_data(data)
        if event == self.name:
            for key, value in OPTIONS.items():
                await self.acall("set", name="web", options={key: value})


class Inside(Setter):
    """In a thread of the daemon."""

    name = "inside"


class Outside(Setter):
    """In a process of its own."""

    name = "outside"
