"""What the live tests share: real daemons, each called to account at the end of its test."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.live.daemon import Daemon
from tests.live.others import Other
from tests.live.wire import Caller, Ear
from tests.programs import Environment

Start = Callable[..., Daemon]
RELEASE = "circus==0.19.0"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let chaos last longer: pytest tests/live --chaos-seconds 60."""
    parser.addoption("--chaos-seconds", type=float, default=15.0, help="how long chaos lasts")
    parser.addoption("--chaos-seed", type=int, default=None, help="repeat the same wishes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if "tests/live/" in item.path.as_posix():
            item.add_marker(pytest.mark.live)


@contextmanager
def accounted() -> Iterator[list[Daemon]]:
    """Call to account whatever daemons are put into the list."""
    made: list[Daemon] = []
    try:
        yield made
        for one in made:
            one.account()
    finally:
        for one in made:
            one.clean_up()
            shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a daemon on the text of its watchers' sections."""
    with accounted() as daemons:
        yield partial(_start, daemons)


@pytest.fixture(scope="module")
def start_shared() -> Iterator[Start]:
    """Start a daemon that the tests of a module share."""
    with accounted() as daemons:
        yield partial(_start, daemons)


def _start(
    daemons: list[Daemon],
    body: str = "",
    *flags: str,
    environment: Mapping[str, str] | None = None,
    **how: Any,
) -> Daemon:
    daemon = Daemon(body, *flags, **how)
    daemons.append(daemon)
    return daemon.start(**(environment or {}))


@pytest.fixture
def listen() -> Iterator[Callable[..., Ear]]:
    """Listen to a daemon's events."""
    ears: list[Ear] = []

    def listen(daemon: Daemon, *topics: str) -> Ear:
        ears.append(daemon.listen(*topics))
        return ears[-1]

    yield listen
    for ear in ears:
        ear.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Caller]]:
    """Connect more clients."""
    callers: list[Caller] = []

    def connect(daemon: Daemon, **how: Any) -> Caller:
        callers.append(Caller(daemon.endpoint, **how))
        return callers[-1]

    yield connect
    for caller in callers:
        caller.close()


@pytest.fixture
def other() -> Iterator[Callable[..., Other]]:
    """Start processes of other users."""
    made: list[Other] = []

    def make(*words: Any, **how: Any) -> Other:
        made.append(Other(*words, **how))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture(scope="session")
def older(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment that has the older release, made once."""
    name = f"{RELEASE.replace('==', '-')}-py{sys.version_info.major}.{sys.version_info.minor}"
    cache = getattr(request.config, "cache", None)
    folder = tmp_path_factory.mktemp(name) if cache is None else cache.mkdir(name)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making it right now
        if not (folder / "complete").exists():
            _install(folder / "env")
            (folder / "complete").touch()
    return Environment(folder / "env")


def _install(folder: Path) -> None:
    venv.create(folder, clear=True, with_pip=True)
    words = [str(folder / "bin" / "pip"), "install", "--quiet", "--no-input", RELEASE]
    made = subprocess.run(words, capture_output=True, text=True, timeout=110)
    if made.returncode:
        pytest.fail(f"{RELEASE} could not be installed beside us: {made.stderr[-2000:]}")
