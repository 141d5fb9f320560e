"""A stream that shouts."""

import sys
from collections.abc import Mapping
from typing import Any


class Shout:
    """Prints output in capitals."""

    def __init__(self, mark: str = "", **_: object) -> None:
        self.mark = mark.encode()

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Print one piece of output."""
        for line in data["data"].removesuffix(b"\n").split(b"\n"):
            sys.stdout.buffer.write(line.upper() + self.mark + b"\n")
        sys.stdout.flush()
