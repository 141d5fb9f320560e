"""Python peers as released: installed once into a virtual environment in the cache.

The folder carries the pins and the Python version in its name, so a change of either makes a new
one and nothing is ever upgraded in place.
"""

import subprocess
import sys
import venv
from pathlib import Path

from tests.benchmarks.peers.contract import Missing

PINS = {"circus": "circus==0.19.0", "supervisor": "supervisor==4.3.0"}


def programs_of(package: str, cache: Path) -> Path:
    """The folder with the programs of `package`, which is installed when it is not there yet."""
    pin = PINS[package]
    version = "{}.{}".format(*sys.version_info)
    home = cache / f"{pin.replace('==', '-')}-py{version}"
    finished = home / "installed"
    if not finished.exists():
        print(f"installing {pin} into {home}", file=sys.stderr, flush=True)
        _install(pin, home)
        finished.touch()
    return home / "bin"


def _install(pin: str, home: Path) -> None:
    venv.create(home, with_pip=True, clear=True)
    # setuptools: both import pkg_resources in places, and Python 3.12 brings none.
    words = [str(home / "bin/pip"), "install", "--quiet", pin, "setuptools<81"]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise Missing(f"{pin} can not be installed from PyPI: {reason}")
