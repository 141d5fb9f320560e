"""Who leads writes what all run, whatever befalls the store meanwhile; with a store in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cvec_circus_plugins.fleet import operations
from cvec_circus_plugins.fleet.keys import LEADER, share_key
from cvec_circus_plugins.fleet.leader import lead
from cvec_circus_plugins.fleet.membership import Membership
from cvec_circus_plugins.fleet.memory_store import MemoryStore
from cvec_circus_plugins.fleet.settings import FleetSettings
from cvec_circus_plugins.fleet.store import StoreFailure

LIMIT = 30.0


async def never(reason: str) -> None:
    """End nothing."""
    raise AssertionError(reason)


def test_shares_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    async def main() -> None:
        store = MemoryStore(asyncio.get_running_loop().time)
        member = Membership(FleetSettings(name="a", folder=str(tmp_path), settle=0), store)
        tasks = [
            asyncio.create_task(member.keep_lease(never)),
            asyncio.create_task(member.follow_keys()),
        ]
        try:
            async with asyncio.timeout(LIMIT):
                while member.view.value(LEADER) != "a":
                    await lead(member)
                await lead(member)
                prefix = member.settings.prefix
                await operations.apply(store, prefix, "[watcher:web]\ncmd = x\n", "fleet.conf")
                await member.changed.wait()
                store.is_reachable = False
                with pytest.raises(StoreFailure):
                    await lead(member)
                store.is_reachable = True
                # Nothing else has changed meanwhile.
                await lead(member)
                key = member.key(share_key("a"))
                assert "web" in (await store.read(key)).entries[key].value
        finally:
            for task in tasks:
                task.cancel()

    asyncio.run(main())
