"""What processes get of the daemon: the environment of its start, the sockets of this moment."""

from __future__ import annotations

import pytest

from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.hookspecs import hookimpl
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.runtime.daemon_environment import DaemonEnvironment
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.system.fake_sockets import FakeSocketOwner


class Brought:
    """A package that brings a variable."""

    @hookimpl
    def circus_environment(self) -> dict[str, str]:
        """Return it."""
        return {"BROUGHT": "by a package", "COLOUR": "red"}


@pytest.fixture
def hooks() -> Hooks:
    hooks = Hooks()
    hooks.add("brought", Brought())
    return hooks


def test_later_changes_of_the_environment_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, hooks: Hooks
) -> None:
    monkeypatch.setenv("SHAPE", "round")
    monkeypatch.setenv("COLOUR", "blue")
    environment = DaemonEnvironment(hooks, ManagedSockets(FakeSocketOwner()))
    monkeypatch.setenv("SHAPE", "square")
    environ = environment.present().environ
    assert (environ["SHAPE"], environ["COLOUR"]) == ("round", "red")
    assert environ["BROUGHT"] == "by a package"


def test_it_is_the_same_object_until_the_sockets_change(hooks: Hooks) -> None:
    sockets = ManagedSockets(FakeSocketOwner())
    environment = DaemonEnvironment(hooks, sockets)
    before = environment.present()
    assert environment.present() is before
    sockets.open(SocketSpec(name="web", host="h", port=1))
    assert environment.present().sockets == ("web",)
    assert environment.present() is environment.present()
    assert before.sockets == ()
