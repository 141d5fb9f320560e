"""The environment that hooks and programs may write to: what is written is set, or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.runtime.hook_environment import HookEnvironment

INHERITED, OWN = {"PATH": "/bin", "A": "1"}, {"A": "1"}


def written(write: Callable[[HookEnvironment], object]) -> tuple[list[dict[str, str]], object]:
    """Return what the option env was set to, and what the environment looks like afterwards."""
    settings: list[dict[str, str]] = []
    env = HookEnvironment(INHERITED, settings.append, OWN)
    write(env)
    return settings, dict(env)


WITH_B = {**OWN, "B": "2"}


@pytest.mark.parametrize(
    ("write", "own", "seen"),
    [
        (lambda env: env.__setitem__("B", "2"), WITH_B, {**INHERITED, **WITH_B}),
        (lambda env: env.update(B="2"), WITH_B, {**INHERITED, **WITH_B}),
        (lambda env: env.setdefault("B", "2"), WITH_B, {**INHERITED, **WITH_B}),
        (
            lambda env: env.__ior__({"PATH": "/usr"}),
            {**OWN, "PATH": "/usr"},
            {**OWN, "PATH": "/usr"},
        ),
        (lambda env: env.pop("A"), {}, {"PATH": "/bin"}),
        (lambda env: env.__delitem__("A"), {}, {"PATH": "/bin"}),
        (lambda env: env.popitem(), {}, {"PATH": "/bin"}),
    ],
)
def test_what_is_written_is_set(
    write: Callable[[HookEnvironment], object], own: dict[str, str], seen: dict[str, str]
) -> None:
    assert written(write) == ([own], seen)


def test_two_writes_add_up() -> None:
    def write(env: HookEnvironment) -> None:
        env["B"] = "2"
        env["C"] = "3"

    settings, _ = written(write)
    assert settings == [{"A": "1", "B": "2"}, {"A": "1", "B": "2", "C": "3"}]


@pytest.mark.parametrize(
    "take",
    [
        lambda env: env.__delitem__("PATH"),
        lambda env: env.pop("PATH"),
        lambda env: env.clear(),
    ],
)
def test_a_variable_of_the_daemon_is_not_to_be_taken(
    take: Callable[[HookEnvironment], object],
) -> None:
    with pytest.raises(BadMessage, match="the variable PATH is the daemon's"):
        written(take)


def test_one_that_is_not_there() -> None:
    assert written(lambda env: env.pop("NONE", None)) == ([], INHERITED)
    with pytest.raises(KeyError):
        written(lambda env: env.__delitem__("NONE"))


def test_what_is_refused_is_not_there() -> None:
    def refuse(env: dict[str, str]) -> None:
        raise BadMessage("no")

    env = HookEnvironment(INHERITED, refuse, OWN)
    with pytest.raises(BadMessage):
        env["B"] = "2"
    assert dict(env) == INHERITED
