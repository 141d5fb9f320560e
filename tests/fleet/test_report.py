"""What a host tells its fleet of its watchers, with a daemon and a store in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.api import CallError, JsonValue
from cvec_circus_plugins.fleet.keys import state_key
from cvec_circus_plugins.fleet.local_watchers import LocalWatchers
from cvec_circus_plugins.fleet.membership import Membership
from cvec_circus_plugins.fleet.memory_store import MemoryStore
from cvec_circus_plugins.fleet.report import StateReport
from cvec_circus_plugins.fleet.settings import FleetSettings

LIMIT = 30.0


class Web:
    """A daemon with one watcher of the fleet."""

    def __init__(self) -> None:
        self.ready = 1
        self.is_silent = False

    async def ask(self, command: str, /, **props: JsonValue) -> dict[str, Any]:
        """Answer, unless it is silent."""
        if self.is_silent:
            raise CallError("Timed out.")
        replies: dict[str, dict[str, Any]] = {
            "list": {"watchers": ["web"]},
            "status": {"status": "active", "ready": self.ready, "running": self.ready},
        }
        if command == "get":
            keys = props["keys"]
            assert isinstance(keys, list)
            replies["get"] = {"options": dict(zip(map(str, keys), ("1", "cmd", 1), strict=True))}
        return {"status": "ok", **replies[command]}


async def never(reason: str) -> None:
    """End nothing."""
    raise AssertionError(reason)


def run(
    folder: Path,
    test: Callable[[MemoryStore, Membership, Web, StateReport], Awaitable[None]],
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        store, web = MemoryStore(loop.time), Web()
        member = Membership(FleetSettings(name="a", folder=str(folder)), store)
        local = LocalWatchers(web.ask, loop.time)
        await local.look()
        keeping = asyncio.create_task(member.keep_lease(never))
        try:
            async with asyncio.timeout(LIMIT):
                await member.state_changed.wait()
                await test(store, member, web, StateReport(member, local, web.ask))
        finally:
            keeping.cancel()

    asyncio.run(main())


async def told(store: MemoryStore, member: Membership) -> Any:
    """Return what the fleet has of the host."""
    key = member.key(state_key("a"))
    entry = (await store.read(key)).entries.get(key)
    return None if entry is None else json.loads(entry.value)


def test_it_is_told_once_the_fleet_knows_the_host(tmp_path: Path) -> None:
    async def check(store: MemoryStore, member: Membership, web: Web, report: StateReport) -> None:
        # The keys have not come yet, as after an outage.
        assert not member.is_registered
        await report.tell()
        assert await told(store, member) is None
        following = asyncio.create_task(member.follow_keys())
        try:
            await report.tell()
            assert (await told(store, member))["web"]["ready"] == 1
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    run(tmp_path, check)


def test_what_could_not_be_asked_is_asked_again(tmp_path: Path) -> None:
    async def check(store: MemoryStore, member: Membership, web: Web, report: StateReport) -> None:
        following = asyncio.create_task(member.follow_keys())
        try:
            await member.changed.wait()
            await report.tell()
            web.ready, web.is_silent = 0, True
            report.touch("web")
            with pytest.raises(CallError):
                await report.tell()
            web.is_silent = False
            await report.tell()
            assert (await told(store, member))["web"]["ready"] == 0
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    run(tmp_path, check)
