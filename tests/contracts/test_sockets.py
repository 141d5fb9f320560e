"""What every `Sockets` does: the real one, the fake, and those of a keeper."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cvec_circus_core.model.errors import CannotBind

pytestmark = pytest.mark.live


def kept(world: Any, name: str = "web", **options: Any) -> Any:
    """Open a socket and keep it."""
    opened = world.sockets.open(world.bind_plan(name, **options))
    world.sockets.keep(opened.number)
    return opened


def test_what_was_taken_is_told(world: Any) -> None:
    opened = kept(world, backlog=7)
    assert (opened.name, opened.host, opened.path, opened.backlog) == ("web", "127.0.0.1", None, 7)
    assert opened.port > 0
    assert opened.listens
    assert opened.location == f"127.0.0.1:{opened.port}"


def test_each_has_a_number_of_its_own(world: Any) -> None:
    numbers = {kept(world, name).number for name in ("a", "b", "c")}
    assert len(numbers) == 3


def test_datagrams_have_no_connections(world: Any) -> None:
    assert not kept(world, type="SOCK_DGRAM").listens


def test_an_address_is_taken_once(world: Any) -> None:
    port = kept(world).port
    with pytest.raises(CannotBind, match=r"\[socket:b\] can not .*: another process listens"):
        world.sockets.open(world.bind_plan("b", port=port))


def test_what_was_discarded_or_closed_is_free_again(world: Any) -> None:
    opened = world.sockets.open(world.bind_plan("web"))
    world.sockets.discard(opened.number)
    again = kept(world, port=opened.port)
    world.sockets.close("web")
    assert kept(world, port=again.port).port == again.port


def test_one_of_the_same_file_stands_aside_until_it_is_kept(world: Any) -> None:
    with TemporaryDirectory(prefix="circus-") as folder:
        path = str(Path(folder) / "s")
        first = kept(world, path=path)
        second = world.sockets.open(world.bind_plan("web", path=path, backlog=3))
        assert second.number != first.number
        world.sockets.keep(second.number)
        with pytest.raises(CannotBind):
            world.sockets.open(world.bind_plan("other", path=path))
        world.sockets.close_all()


def test_the_queue_is_put_right_in_place(world: Any) -> None:
    opened = kept(world, backlog=7)
    adjusted = world.sockets.adjust("web", world.bind_plan("web", port=opened.port, backlog=9))
    assert (adjusted.number, adjusted.port, adjusted.backlog) == (opened.number, opened.port, 9)


def test_a_connection_is_told_later_and_no_more_after_the_end(world: Any) -> None:
    opened = kept(world)
    connections: list[str] = []

    def on_connection() -> None:
        connections.append("web")
        end()

    end = world.sockets.watch("web", on_connection)
    assert connections == []
    world.connect(opened)
    world.until(lambda: bool(connections))
    world.connect(opened)
    waited: list[bool] = []
    world.clock.wait(0.1, lambda: waited.append(True))
    world.until(lambda: bool(waited))
    assert connections == ["web"]


def test_who_watches_no_more_is_told_nothing(world: Any) -> None:
    opened = kept(world)
    connections: list[str] = []
    world.sockets.watch("web", lambda: connections.append("web"))()
    world.connect(opened)
    waited: list[bool] = []
    world.clock.wait(0.1, lambda: waited.append(True))
    world.until(lambda: bool(waited))
    assert connections == []
