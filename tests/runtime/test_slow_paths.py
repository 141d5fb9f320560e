"""What paths can hang, and who waits for them; no file system of that kind is needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cvec_circus_core.runtime.slow_paths import SlowPaths
from cvec_circus_core.system.remote_mounts import RemoteMounts
from cvec_circus_core.system.whole_files import ReadingThread
from tests.streams.test_reading import until


def mounts(tmp_path: Path, *kinds: str) -> RemoteMounts:
    """Return a table in which a folder is one of these kinds of file systems."""
    rows = [f"1 0 0:1 / {tmp_path}/a\\040{kind} rw shared:1 - {kind} server rw" for kind in kinds]
    table = tmp_path / "table"
    table.write_text("\n".join(["1 0 0:1 / / rw - nfs server rw", *rows, "odd", ""]))
    return RemoteMounts(str(table))


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p", "ceph"])
def test_a_path_that_leads_to_another_machine_is_known(tmp_path: Path, kind: str) -> None:
    table = mounts(tmp_path, kind, "ext4", "tmpfs")
    place = f"{tmp_path}/a {kind}"
    (tmp_path / "link").symlink_to(f"a {kind}/release")
    (tmp_path / "round").symlink_to("round")
    for path in (
        place,
        f"{place}/x/y",
        f"{tmp_path}/link/z",
        f"{tmp_path}/b/../link",
        f"{place}/..",
    ):
        assert table.place_of(path) == place
    for path in (f"{tmp_path}/a ext4/x", str(tmp_path), "/", f"{place}x", f"{tmp_path}/round"):
        assert table.place_of(path) is None


def test_where_all_is_remote_nothing_is(tmp_path: Path) -> None:
    assert not mounts(tmp_path).any()
    assert not RemoteMounts(str(tmp_path / "none")).any()


def test_work_that_touches_nothing_remote_is_done_at_once(tmp_path: Path) -> None:
    done: list[str] = []
    for table in (mounts(tmp_path), mounts(tmp_path, "nfs")):
        SlowPaths(table).when_answering(lambda: ["/bin"], lambda: done.append("act"), done.append)
    assert done == ["act", "act"]


def test_work_waits_until_its_paths_have_answered(tmp_path: Path) -> None:
    async def test() -> None:
        done: list[str] = []
        acted = asyncio.Event()
        paths = SlowPaths(mounts(tmp_path, "nfs"))
        paths.when_answering(lambda: [f"{tmp_path}/a nfs/x"], acted.set, done.append)
        assert not acted.is_set()
        await asyncio.wait_for(acted.wait(), 30)
        assert done == []
        paths.close()

    asyncio.run(test())


async def refusal_of(paths: SlowPaths, path: str) -> str:
    """Return why work with a path was refused; nothing where it was done."""
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    paths.when_answering(lambda: [path], lambda: refused.set_result(""), refused.set_result)
    return await asyncio.wait_for(refused, 30)


def no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_look_that_gets_no_thread_is_refused_and_the_next_one_is_taken(tmp_path: Path) -> None:
    async def test() -> None:
        paths, path = SlowPaths(mounts(tmp_path, "nfs")), f"{tmp_path}/a nfs/x"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            assert "gets no more threads" in await refusal_of(paths, path)
        assert await refusal_of(paths, path) == ""

    asyncio.run(test())


def test_a_look_that_hangs_is_given_up_and_followed_by_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(
        "cvec_circus_core.runtime.slow_paths._look_at", lambda paths: released.wait(60)
    )
    monkeypatch.setattr(
        "cvec_circus_core.runtime.slow_paths.ReadingThread", lambda: ReadingThread(0.05)
    )

    async def test() -> None:
        paths, path = SlowPaths(mounts(tmp_path, "nfs")), f"{tmp_path}/a nfs/x"
        before = threading.active_count()
        assert "does not answer: it takes more than 0.05 s" in await refusal_of(paths, path)
        assert "has not come back yet" in await refusal_of(paths, path)
        assert threading.active_count() == before + 1
        released.set()
        await until(lambda: threading.active_count() == before)
        assert await refusal_of(paths, path) == ""

    asyncio.run(test())


async def in_turn(thread: ReadingThread, *works: Callable[[], object]) -> list[object]:
    """Ask for several at once."""
    return await asyncio.gather(*map(thread.run, works), return_exceptions=True)


def test_readings_are_done_one_after_the_other_and_their_errors_told() -> None:
    order: list[int] = []

    def second() -> None:
        raise ValueError(order)

    outcomes = asyncio.run(
        in_turn(ReadingThread(30), lambda: order.append(1), second, lambda: "three")
    )
    assert outcomes[0] is None
    assert str(outcomes[1]) == "[1]"
    assert outcomes[2] == "three"
