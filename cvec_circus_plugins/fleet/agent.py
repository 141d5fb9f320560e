"""The agent of one host: a plugin of its daemon that keeps it to its share of the fleet.

Five tasks go side by side, and meet in the membership of the host (`membership.py`):

* The lease is renewed. Where that fails for too long, what runs once is killed here, before the
  store gives its claims to others; a leash (`leash_command`) sees to that where this process does
  not.
* The keys of the fleet are followed; after a broken connection everything is read again.
* The leader computes the shares of all (`leader.py`).
* The daemon is brought to the share of this host (`local_share.py`).
* What runs here is told (`report.py`).

Where the store is out of reach nothing is stopped but what runs once. A start without it goes on
with the share that was seen last, from a file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar

from cvec_circus_core.api import CallError, CircusPlugin, ConfigError, name_key
from cvec_circus_plugins.fleet.leader import lead
from cvec_circus_plugins.fleet.local_share import LocalShare
from cvec_circus_plugins.fleet.local_watchers import LocalWatchers
from cvec_circus_plugins.fleet.membership import Membership
from cvec_circus_plugins.fleet.report import StateReport
from cvec_circus_plugins.fleet.settings import FleetSettings, open_store
from cvec_circus_plugins.fleet.store import HistoryLost, LeaseExpired, StoreFailure

log = logging.getLogger("circus.plugins.fleet")

_RETRY, _LONGEST_RETRY = 0.5, 5.0


class FleetAgent(CircusPlugin):
    """Runs this host's share of what a fleet of hosts runs together, with etcd as its memory.

    ``circusctl fleet`` applies a configuration, and shows what runs where.
    """

    name = "fleet"
    settings_type: ClassVar[type[FleetSettings]] = FleetSettings
    settings: FleetSettings
    timeout: ClassVar[float] = 120.0
    kinds: ClassVar[frozenset[str] | None] = frozenset(
        {"start", "stop", "spawn", "reap", "kill", "updated"}
    )

    def handle_config(self) -> None:
        """Look whether there is a place for what has to be kept. Raises `ConfigError`."""
        folder = self.settings.state_folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"folder {str(folder)!r} can not be made: {error.strerror}") from None

    async def handle_init(self) -> None:
        """Begin all tasks."""
        loop = asyncio.get_running_loop()
        member = self._member = Membership(self.settings, open_store(self.settings))
        local = LocalWatchers(self.acall, loop.time)
        share = LocalShare(member, local)
        self._report = StateReport(member, local, self.acall)
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "lease": lambda: member.keep_lease(share.fence),
            "keys": member.follow_keys,
            "leader": lambda: lead(member),
            "share": share.follow,
            "report": self._report.tell,
        }
        member.share_changed.set()
        self._tasks = [
            loop.create_task(_forever(name, step), name=f"fleet {name}")
            for name, step in steps.items()
        ]

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Tell the fleet soon what has changed here."""
        name, _, message = self.split_data(data)
        body = self.load_message(message)
        self._report.touch(name_key(str(body.get("name") or name)))

    async def handle_stop(self) -> None:
        """End all tasks. Lease and claims stay: the processes do, too."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._member.store.close()


async def _forever(name: str, step: Callable[[], Awaitable[None]]) -> None:
    """Take a step again and again; a failure is told once, and costs a pause that grows."""
    pause, complaint = _RETRY, ""
    while True:
        try:
            await step()
        except (StoreFailure, LeaseExpired, HistoryLost, CallError) as error:
            if str(error) != complaint:
                log.warning("fleet: %s: %s; trying again", name, error)
            complaint = str(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY)
        except Exception:
            log.exception("fleet: %s has failed; trying again", name)
            await asyncio.sleep(_LONGEST_RETRY)
        else:
            pause, complaint = _RETRY, ""
