"""A daemon in memory, and a way to run a command in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cvec_circus_core.extend.command import Command
from cvec_circus_core.testing import FakeSupervisor, FakeWatcher
from tests.commands.loading import command

Run = Callable[..., Mapping[str, Any]]


@pytest.fixture
def daemon() -> FakeSupervisor:
    """Return a daemon with two that run, one that does not, and a singleton."""
    return FakeSupervisor(
        FakeWatcher("web", cmd="web --port 80", numprocesses=2, priority=5).up(),
        FakeWatcher("Web.Admin", cmd="admin").up(),
        FakeWatcher("off", cmd="off", autostart=False),
        FakeWatcher("one", cmd="one", singleton=True).up(),
    )


@pytest.fixture
def run(daemon: FakeSupervisor) -> Run:
    """Return a call that runs a command in the daemon and returns its reply."""

    def run(name: str, /, **properties: Any) -> Mapping[str, Any]:
        one = command(name)
        return asyncio.run(_within_a_second(one, daemon, one.request(**properties)))

    return run


async def _within_a_second(one: Command, daemon: FakeSupervisor, request: Any) -> Mapping[str, Any]:
    return await asyncio.wait_for(one.execute(daemon, request), 1)
