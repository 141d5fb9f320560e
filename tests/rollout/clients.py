"""Clients that call without a pause, and remember what went wrong and how long it took.

They are a process of their own, so that how fast they are does not depend on the test around them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.live.daemon import ROOT, until
from tests.rollout.calling import CLIENTS, PATIENCE, Seen


class Clients:
    """Four clients that connect, read a line, and connect again."""

    def __init__(self, port: int, *, http: bool = False) -> None:
        words = [sys.executable, "-m", "tests.rollout.calling", str(port), *["--http"] * http]
        self._process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.total = Seen()

    def take(self) -> Seen:
        """Return what they saw since the last time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seen = Seen(**json.loads(self._process.stdout.readline()))
        self.total.calls += seen.calls
        self.total.slowest = max(self.total.slowest, seen.slowest)
        self.total.failures += seen.failures
        return seen

    def until_all_called(self) -> Seen:
        """Wait until there were a few calls more; return what was seen of them."""
        self.take()
        called: list[Seen] = []

        def enough() -> bool:
            called.append(self.take())
            return sum(one.calls for one in called) >= 4 * CLIENTS

        until(enough)
        return called[-1]

    def __enter__(self) -> Self:
        self.until_all_called()
        self.total = Seen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.take()
        finally:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE)
