"""The processes that the daemon is made of, as commands may see and exchange them."""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus_core.model.errors import BadMessage


class DaemonHost:
    """What is around the daemon: its own process, or a keeper; here, another program."""

    def facts(self) -> Mapping[str, object]:
        """Return the pids, versions and starts of the daemon."""
        return {}

    async def upgrade(self, venv: str | None, watch: float, limit: float) -> Mapping[str, object]:
        """Have another daemon started in our place, from the code of a virtual environment.

        Raises `BadMessage` where that is not possible or its code can not be loaded.
        """
        raise BadMessage("only a daemon with keeper = True can be exchanged while it runs")
