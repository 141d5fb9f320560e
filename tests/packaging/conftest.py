"""Built distributions and a fresh environment, made once for all tests of this folder."""

from __future__ import annotations

import fcntl
import os
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.building import ROOT, Distributions, build, built
from tests.programs import Environment

EXAMPLES = ROOT / "docs" / "examples"

Shared = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Return a folder of that name, which one process of a test run has filled for all."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def fill_once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, whole = base / name, base / f"{name}.whole"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                fill(folder)
                whole.touch()
        return folder

    return fill_once


@pytest.fixture(scope="session")
def ours(shared: Shared) -> Distributions:
    """This project, built."""
    return built(shared("ours", lambda folder: build(ROOT, folder)))


@pytest.fixture(scope="session")
def third_party(shared: Shared) -> Distributions:
    """The package of the example that brings a command, built."""
    return built(shared("third_party", lambda folder: build(EXAMPLES / "command-package", folder)))


@pytest.fixture(scope="session")
def extras(shared: Shared) -> Distributions:
    """The package of the example that brings a plugin, a command, a stream and numbers, built."""
    return built(shared("extras", lambda folder: build(EXAMPLES / "plugin-package", folder)))


@pytest.fixture(scope="session")
def environment(
    shared: Shared, ours: Distributions, third_party: Distributions, extras: Distributions
) -> Environment:
    """A virtual environment with all wheels and what they need."""

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=True, clear=True)
        wheels = [f"{ours.wheel}[web]", *(str(one.wheel) for one in (third_party, extras))]
        done = Environment(folder).run("pip", "install", "-q", *wheels, limit=270)
        assert done.returncode == 0, done.stderr

    return Environment(shared("environment", install))
