"""What a store has to do, for the real etcd and the one in memory alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from cvec_circus_plugins.fleet.etcd import EtcdStore
from cvec_circus_plugins.fleet.memory_store import MemoryStore
from cvec_circus_plugins.fleet.store import Guard, LeaseExpired, Store, StoreFailure
from tests.fleet.conftest import EtcdServer
from tests.live.daemon import free_port

LIMIT = 30.0

Opened = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["memory", "etcd"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Return what opens an empty store."""
    if request.param == "memory":

        @asynccontextmanager
        async def memory() -> AsyncIterator[Store]:
            yield MemoryStore(asyncio.get_running_loop().time)

        return memory
    server = request.getfixturevalue("etcd")

    @asynccontextmanager
    async def etcd() -> AsyncIterator[Store]:
        store = EtcdStore([f"http://127.0.0.1:{free_port()}", server.endpoint])
        try:
            yield store
        finally:
            await store.close()

    return etcd


def run(opened: Opened, test: Callable[[Store], Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(LIMIT), opened() as store:
            await test(store)

    asyncio.run(main())


def test_keys_are_written_and_read(opened: Opened) -> None:
    async def test(store: Store) -> None:
        first = await store.write({"/f/a": "1", "/f/b": 'ü\n"', "/other": "x"})
        snapshot = await store.read("/f/")
        assert {key: entry.value for key, entry in snapshot.entries.items()} == {
            "/f/a": "1",
            "/f/b": 'ü\n"',
        }
        assert snapshot.entries["/f/a"].created_at == first
        second = await store.write({"/f/a": "2", "/f/b": None})
        assert second > first
        snapshot = await store.read("/f/")
        (entry,) = snapshot.entries.values()
        assert (entry.value, entry.created_at, entry.changed_at) == ("2", first, second)
        assert snapshot.revision == second

    run(opened, test)


def test_a_guard_that_does_not_hold_keeps_everything(opened: Opened) -> None:
    async def test(store: Store) -> None:
        created = await store.write({"/f/claim": "a"}, guards=[Guard("/f/claim", 0)])
        assert created
        assert not await store.write({"/f/claim": "b", "/f/x": "y"}, guards=[Guard("/f/claim", 0)])
        assert set((await store.read("/f/")).entries) == {"/f/claim"}
        assert await store.write({"/f/x": "y"}, guards=[Guard("/f/claim", created)])
        assert await store.write({"/f/claim": None}, guards=[Guard("/f/claim", created)])
        # One that is created again is another one.
        again = await store.write({"/f/claim": "b"}, guards=[Guard("/f/claim", 0)])
        assert again > created
        assert not await store.write({"/f/x": "z"}, guards=[Guard("/f/claim", created)])

    run(opened, test)


def test_a_lease_takes_its_keys_with_it(opened: Opened) -> None:
    async def test(store: Store) -> None:
        lease = await store.grant(60)
        await store.write({"/f/a": "1", "/f/b": "2"}, lease=lease)
        await store.write({"/f/b": "3"})
        assert (await store.read("/f/")).entries["/f/a"].lease == lease
        assert await store.renew(lease) == 60
        await store.revoke(lease)
        assert set((await store.read("/f/")).entries) == {"/f/b"}
        with pytest.raises(LeaseExpired):
            await store.renew(lease)
        with pytest.raises(LeaseExpired):
            await store.write({"/f/c": "1"}, lease=lease)
        await store.revoke(lease)

    run(opened, test)


def test_a_lease_that_is_not_renewed_ends(opened: Opened) -> None:
    async def test(store: Store) -> None:
        lease = await store.grant(2)
        await store.write({"/f/a": "1"}, lease=lease)
        changes = store.watch("/f/", (await store.read("/f/")).revision + 1)
        (change,) = await anext(changes)
        assert (change.key, change.entry) == ("/f/a", None)
        with pytest.raises(LeaseExpired):
            await store.renew(lease)

    run(opened, test)


def test_changes_are_watched_from_a_revision_on(opened: Opened) -> None:
    async def test(store: Store) -> None:
        first = await store.write({"/f/a": "1"})
        await store.write({"/g/a": "1"})
        changes = store.watch("/f/", first)
        heard: list[tuple[str, str | None]] = []

        async def hear(count: int) -> None:
            while len(heard) < count:
                heard.extend(
                    (change.key, change.entry.value if change.entry else None)
                    for change in await anext(changes)
                )

        await hear(1)
        lease = await store.grant(60)
        await store.write({"/f/b": "2"}, lease=lease)
        await hear(2)
        await store.revoke(lease)
        await hear(3)
        assert heard == [("/f/a", "1"), ("/f/b", "2"), ("/f/b", None)]

    run(opened, test)


def test_a_store_that_is_not_there_says_so() -> None:
    async def main() -> None:
        store = EtcdStore([f"http://127.0.0.1:{free_port()}"])
        with pytest.raises(StoreFailure, match=r"127\.0\.0\.1"):
            await store.read("/")
        await store.close()

    asyncio.run(main())


def test_who_is_signed_out_signs_in_again(etcd: EtcdServer) -> None:
    etcd.ask("auth/user/add", name="root", password="secret")
    etcd.ask("auth/role/add", name="root")
    etcd.ask("auth/user/grant", user="root", role="root")
    etcd.ask("auth/enable")

    async def main() -> None:
        async with asyncio.timeout(LIMIT):
            stranger = EtcdStore([etcd.endpoint], user="root", password="wrong")
            with pytest.raises(StoreFailure, match="invalid user ID or password"):
                await stranger.read("/")
            await stranger.close()
            store = EtcdStore([etcd.endpoint], user="root", password="secret")
            assert await store.write({"/f/a": "1"})
            # A password that is set ends what was granted before.
            token = etcd.ask("auth/authenticate", name="root", password="secret")["token"]
            etcd.ask("auth/user/changepw", token, name="root", password="secret")
            assert await store.write({"/f/a": "2"})
            assert (await store.read("/f/")).entries["/f/a"].value == "2"
            await store.close()

    asyncio.run(main())
