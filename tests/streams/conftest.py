"""Real daemons, as in the live tests."""

from tests.live.conftest import listen, start

__all__ = ["listen", "start"]
