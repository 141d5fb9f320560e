"""The live tests' daemons, for rollouts, hooks and changed configurations."""

from __future__ import annotations

from tests.live.conftest import connect, listen, start

__all__ = ["connect", "listen", "start"]
