"""What one host runs of its fleet, with a daemon and a store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cvec_circus_core.api import JsonValue
from cvec_circus_plugins.fleet import operations
from cvec_circus_plugins.fleet.keys import Share, claim_key, share_key
from cvec_circus_plugins.fleet.local_share import LocalShare
from cvec_circus_plugins.fleet.local_watchers import LocalWatchers
from cvec_circus_plugins.fleet.membership import Membership
from cvec_circus_plugins.fleet.memory_store import MemoryStore
from cvec_circus_plugins.fleet.settings import FleetSettings
from cvec_circus_plugins.fleet.store import HistoryLost, LeaseExpired, StoreFailure

LIMIT = 30.0
LEASE, MARGIN = 2.0, 0.9
CONFIG = (
    "[watcher:once]\nfleet = one\ncmd = sleep 1000\n"
    "[watcher:web]\nfleet = spread\ncmd = sleep 1001\n"
)


class FakeDaemon:
    """The watchers of a daemon that was asked for them."""

    def __init__(self) -> None:
        self.watchers: dict[str, dict[str, Any]] = {}

    async def ask(self, command: str, /, **props: JsonValue) -> dict[str, Any]:
        """Do what a command says."""
        name = str(props.get("name", ""))
        options = props.get("options") or {}
        assert isinstance(options, dict)
        match command:
            case "list":
                return {"status": "ok", "watchers": list(self.watchers)}
            case "get":
                return {"status": "ok", "options": self.watchers[name]}
            case "add":
                self.watchers[name] = dict(options)
            case "set":
                self.watchers[name] |= options
            case "rm":
                del self.watchers[name]
        return {"status": "ok"}


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not fact():  # noqa: ASYNC110 – the fakes tell nobody
            await asyncio.sleep(0.01)


def run(folder: Path, test: Callable[[MemoryStore, Membership, FakeDaemon], Any]) -> None:
    async def main() -> None:
        store = MemoryStore(asyncio.get_running_loop().time)
        settings = FleetSettings(name="a", folder=str(folder), lease=LEASE, margin=MARGIN)
        await operations.apply(store, settings.prefix, CONFIG, "fleet.conf")
        share = Share(1, {"once": 1, "web": 1}).to_json()
        await store.write({settings.prefix + share_key("a"): share})
        daemon = FakeDaemon()
        member = Membership(settings, store)
        local = LocalShare(member, LocalWatchers(daemon.ask, asyncio.get_running_loop().time))

        async def forever(step: Callable[[], Any]) -> None:
            while True:
                with suppress(StoreFailure, LeaseExpired, HistoryLost):
                    await step()
                await asyncio.sleep(0.01)

        steps = (lambda: member.keep_lease(local.fence), member.follow_keys, local.follow)
        tasks = [asyncio.create_task(forever(step)) for step in steps]
        try:
            await test(store, member, daemon)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_what_runs_once_begins_again_where_the_store_kept_the_claim(tmp_path: Path) -> None:
    # The store does not answer for longer than the lease is certainly good, and not so long that
    # it ends: the claim is still this host's, and nobody else will run what was ended here.
    async def test(store: MemoryStore, member: Membership, daemon: FakeDaemon) -> None:
        await until(lambda: set(daemon.watchers) == {"once", "web"})
        fence = daemon.watchers["once"]["env"]["CIRCUS_FENCE"]
        store.is_reachable = False
        await until(lambda: set(daemon.watchers) == {"web"})
        store.is_reachable = True
        await until(lambda: set(daemon.watchers) == {"once", "web"})
        again = daemon.watchers["once"]["env"]["CIRCUS_FENCE"]
        assert int(again) >= int(fence)
        entry = member.view.entry(claim_key("once"))
        assert entry is not None
        assert str(entry.created_at) == again

    run(tmp_path, test)


def test_what_is_not_wanted_any_more_gives_its_claim_back(tmp_path: Path) -> None:
    async def test(store: MemoryStore, member: Membership, daemon: FakeDaemon) -> None:
        await until(lambda: set(daemon.watchers) == {"once", "web"})
        share = Share(1, {"web": 1}).to_json()
        await store.write({member.key(share_key("a")): share})
        await until(lambda: set(daemon.watchers) == {"web"})
        await until(lambda: member.view.entry(claim_key("once")) is None)

    run(tmp_path, test)
