"""A file that a full disk or half a save has left empty removes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.live.daemon import Daemon, until

Start = Callable[..., Daemon]

WEB = "[watcher:web]\ncmd = sleep 1000\n[watcher:db]\ncmd = sleep 1000\npriority = 5\n"
PLUGIN = "[plugin:beside]\nuse = cvec_circus_plugins.flapping.Flapping\n"


@pytest.mark.parametrize("text", ["", "\n\n", "[circus]\n", PLUGIN], ids=repr)
def test_removes_nothing(start: Start, text: str) -> None:
    daemon = start(f"{WEB}{PLUGIN}")
    pids = (daemon.until_active("web"), daemon.until_active("db"))
    plugins = daemon.control("plugins").stdout
    daemon.file.write_text(text, encoding="utf-8")
    for words in (("reloadconfig",), ("reloadconfig", "--plan"), ("restart",)):
        result = daemon.control(*words)
        assert result.returncode != 0
        assert "no watcher any more, and 2 would be removed" in result.stderr
        assert "--allow-empty" in result.stderr
    assert (daemon.pids("web"), daemon.pids("db")) == pids
    assert daemon.control("plugins").stdout == plugins


def test_may_be_meant(start: Start) -> None:
    daemon = start(WEB)
    daemon.until_active("web")
    daemon.file.write_text("", encoding="utf-8")
    plan = daemon.control("reloadconfig", "--plan", "--allow-empty")
    assert plan.stdout.splitlines()[:1] == ["remove web: it is not in the file any more"]
    assert daemon.control("reloadconfig", "--allow-empty", "--waiting").returncode == 0
    assert daemon.ok("list")["watchers"] == []
    daemon.write(WEB)
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: len(daemon.pids("web")) == 1)
