"""What the tests in a terminal share: a daemon to talk to, a home to live in, terminals to open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.conftest import accounted
from tests.live.daemon import BIN, Daemon
from tests.programs import need
from tests.terminal.terminal import KIND, Terminal

Open = Callable[..., Terminal]

WATCHERS = """
[watcher:web]
cmd = sleep 300
numprocesses = 2
ready = spawned

[watcher:db]
cmd = sleep 301
ready = spawned

[watcher:api:v1]
cmd = sleep 302
ready = spawned

[watcher:back office]
cmd = sleep 303
ready = spawned

[watcher:off]
cmd = sleep 304
autostart = False

[watcher:slow]
cmd = /bin/sh -c 'trap "" TERM; while :; do sleep 0.2; done'
graceful_timeout = 4
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if "tests/terminal/" in item.path.as_posix():
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """Return a daemon that all tests of a file talk to, and leave as they found it."""
    need("tmux")
    with accounted() as daemons:
        one = Daemon(WATCHERS)
        daemons.append(one)
        one.start()
        one.until_active("web", 2)
        one.until_active("slow", 1)
        yield one


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder in which nobody has set up anything."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def surroundings(home: Path) -> dict[str, str]:
    """Return the environment of a user without habits."""
    return {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C.UTF-8",
        "PS1": "$ ",
        "INPUTRC": os.devnull,
    }


@pytest.fixture
def open_terminal(surroundings: dict[str, str]) -> Iterator[Open]:
    """Return a call that opens a terminal in which a command runs."""
    need("tmux")
    with ExitStack() as opened:

        def open_terminal(
            *command: str,
            columns: int = 100,
            rows: int = 30,
            kind: str = KIND,
            **environment: str,
        ) -> Terminal:
            around = {**surroundings, **environment}
            return opened.enter_context(Terminal(command, around, columns, rows, kind))

        yield open_terminal
