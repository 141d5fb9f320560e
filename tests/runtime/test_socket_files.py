"""Files of managed sockets, over an owner in memory: what is gone is opened again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.socket_files import socket_files
from cvec_circus_core.system.fake_sockets import FakeSocketOwner


def test_what_is_gone_is_opened_again_and_its_users_are_told(tmp_path: Path) -> None:
    sockets, renewed = ManagedSockets(FakeSocketOwner()), list[str]()
    sockets.open(SocketSpec(name="web", path=str(tmp_path / "web")))
    sockets.open(SocketSpec(name="tcp", host="h", port=1))
    (tmp_path / "web").touch()
    (web,) = socket_files(sockets, renewed.append)
    before = sockets.numbers
    assert web.endpoint == f"ipc://{tmp_path}/web"
    assert not web.mend()
    assert (sockets.numbers, renewed) == (before, [])
    (tmp_path / "web").unlink()
    assert web.mend()
    assert sockets.numbers["web"] != before["web"]
    assert sockets.numbers["tcp"] == before["tcp"]
    assert renewed == ["web"]


def test_what_can_not_be_opened_again_stays_as_it_is(tmp_path: Path) -> None:
    owner = FakeSocketOwner()
    sockets, renewed = ManagedSockets(owner), list[str]()
    sockets.open(SocketSpec(name="web", path=str(tmp_path / "web")))
    before = sockets.numbers
    owner.taken = {repr(str(tmp_path / "web"))}
    with pytest.raises(CannotBind):
        next(socket_files(sockets, renewed.append)).mend()
    assert (sockets.numbers, renewed) == (before, [])
    owner.taken = set()
    assert next(socket_files(sockets, renewed.append)).mend()


def test_changes_are_told(tmp_path: Path) -> None:
    sockets, changes = ManagedSockets(FakeSocketOwner()), list[tuple[str, ...]]()
    sockets.on_change = lambda: changes.append(sockets.names)
    sockets.open(SocketSpec(name="web", path=str(tmp_path / "web")))
    sockets.close("web")
    assert changes == [("web",), ()]
