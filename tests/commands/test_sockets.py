"""Commands about managed sockets."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.errors import BadMessage, Conflict
from cvec_circus_core.testing import FakeSupervisor
from tests.commands.conftest import Run
from tests.commands.loading import command


def test_they_come_are_listed_and_go(run: Run, daemon: FakeSupervisor) -> None:
    run("addsocket", name="Web", options={"host": "::1", "port": 80, "backlog": 5})
    reply = run("addsocket", name="ux", options={"path": "/run/x"})
    assert reply == {"socket": {"fd": 11, "name": "ux", "backlog": 2048, "path": "/run/x"}}
    assert run("listsockets")["sockets"] == [
        {"fd": 10, "name": "web", "backlog": 5, "host": "::1", "port": 80},
        {"fd": 11, "name": "ux", "backlog": 2048, "path": "/run/x"},
    ]
    assert run("rmsocket", name="WEB") == {}
    assert [one["name"] for one in run("listsockets")["sockets"]] == ["ux"]
    assert daemon.said == ["add socket Web", "add socket ux", "remove socket WEB"]


@pytest.mark.parametrize(
    ("name", "properties", "error", "reason"),
    [
        ("addsocket", {"name": " "}, BadMessage, "'name' is empty"),
        ("addsocket", {"name": "a", "options": {"port": "x"}}, BadMessage, "'port' isn't an"),
        ("addsocket", {"name": "a", "options": {"mode": 384}}, BadMessage, "'mode' is for Unix"),
        ("addsocket", {"name": "there"}, Conflict, "there is a socket named 'there' already"),
        ("rmsocket", {"name": "none"}, BadMessage, "no socket is named 'none'"),
    ],
)
def test_refusals(
    run: Run,
    daemon: FakeSupervisor,
    name: str,
    properties: dict[str, Any],
    error: type[Exception],
    reason: str,
) -> None:
    daemon.sockets.add("there", {})
    with pytest.raises(error, match=reason):
        run(name, **properties)


def test_words_of_the_command_line_are_options() -> None:
    words = ["port=0", "mode=600", "so_reuseport=yes", "owner=33", "path=a=b", "strange=1"]
    composed = command("addsocket").compose({"name": "web", "option": words})
    assert composed == {
        "name": "web",
        "options": {
            "port": 0,
            "mode": "600",
            "so_reuseport": True,
            "owner": 33,
            "path": "a=b",
            "strange": "1",
        },
    }


@pytest.mark.parametrize("word", ["port", "=80", "port=http"])
def test_words_that_are_none(word: str) -> None:
    with pytest.raises(ValueError, match=r"KEY=VALUE|an integer"):
        command("addsocket").compose({"name": "web", "option": [word]})
