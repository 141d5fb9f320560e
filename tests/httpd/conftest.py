"""Real daemons with real workers, and real consoles in front of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.httpd.consoles import ConsoleProcess
from tests.live.conftest import accounted
from tests.live.daemon import Daemon

SLEEPERS = "[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\nready = spawned\n"

Serve = Callable[..., ConsoleProcess]


@pytest.fixture
def start() -> Iterator[Callable[..., Daemon]]:
    """Start a daemon on the text of its watchers' sections."""
    with accounted() as daemons:

        def begin(body: str = SLEEPERS, *flags: str, **options: Any) -> Daemon:
            daemon = Daemon(body, *flags, **options)
            daemons.append(daemon)
            return daemon.start()

        yield begin


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a console for daemons."""
    consoles: list[ConsoleProcess] = []

    def begin(
        *endpoints: str, environment: dict[str, str] | None = None, **options: Any
    ) -> ConsoleProcess:
        console = ConsoleProcess(*endpoints, **options)
        consoles.append(console)
        return console.start(**(environment or {}))

    yield begin
    for console in consoles:
        console.stop()
        shutil.rmtree(console.folder, ignore_errors=True)


@contextmanager
def desk_of(daemon: Daemon) -> Iterator[tuple[Daemon, ConsoleProcess]]:
    """Start a daemon and a console for it; in the end nothing of them is left."""
    with accounted() as daemons:
        daemons.append(daemon)
        daemon.start().until_active("web", 2)
        console = ConsoleProcess(daemon.endpoint).start()
        try:
            yield daemon, console
        finally:
            console.stop()
            shutil.rmtree(console.folder, ignore_errors=True)
            daemon.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Daemon, ConsoleProcess]]:
    """Start a daemon and a console that all tests of a module share."""
    with desk_of(Daemon(SLEEPERS)) as both:
        yield both
