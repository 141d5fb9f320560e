"""What an agent reads of its fleet."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cvec_circus_plugins.fleet import operations
from cvec_circus_plugins.fleet.keys import Share, share_key
from cvec_circus_plugins.fleet.membership import Membership
from cvec_circus_plugins.fleet.memory_store import MemoryStore
from cvec_circus_plugins.fleet.settings import FleetSettings

LIMIT = 30.0


def test_an_agent_reads_no_revision_but_those_it_works_with(tmp_path: Path) -> None:
    async def main() -> None:
        store = MemoryStore(asyncio.get_running_loop().time)
        settings = FleetSettings(name="a", folder=str(tmp_path))
        for number in range(5):
            text = f"[watcher:web]\ncmd = sleep {number}\n"
            await operations.apply(store, settings.prefix, text, "fleet.conf")
        # The leader has not come to the newest one yet.
        share = Share(3, {"web": 1}).to_json()
        await store.write({settings.prefix + share_key("a"): share})
        member = Membership(settings, store)
        following = asyncio.create_task(member.follow_keys())
        try:
            await asyncio.wait_for(member.changed.wait(), LIMIT)
            assert member.view.numbers == [3, 5]
            assert member.view.wanted().watchers["web"].options["cmd"] == "sleep 4"
            assert member.view.wanted(3).watchers["web"].options["cmd"] == "sleep 2"
            # Those that are applied later come by themselves.
            member.changed.clear()
            await operations.apply(store, settings.prefix, "[watcher:x]\ncmd = y\n", "fleet.conf")
            await asyncio.wait_for(member.changed.wait(), LIMIT)
            assert member.view.wanted().number == 6
            assert set(member.view.wanted().watchers) == {"x"}
        finally:
            following.cancel()

    asyncio.run(main())
