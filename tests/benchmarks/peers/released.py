"""Python peers, each installed into a virtual environment of its own in the cache.

Those of others are installed once: the folder carries the pin and the Python version in its name,
so a change of either makes a new one and nothing is ever upgraded in place. Ours is installed anew
for each run. All have the same company, that is none: every distribution beside a program costs its
start some time.
"""

import subprocess
import sys
import venv
from pathlib import Path

from tests.benchmarks.peers.contract import Missing

PINS = {"circus": "circus==0.19.0", "supervisor": "supervisor==4.3.0"}


_CHECKOUT = Path(__file__).resolve().parents[3]


def programs_of_checkout(cache: Path) -> Path:
    """The folder with our programs, as they are in this checkout."""
    home = cache / "checkout"
    print(f"installing this checkout into {home}", file=sys.stderr, flush=True)
    _install(home, str(_CHECKOUT))
    return home / "bin"


def programs_of(package: str, cache: Path) -> Path:
    """The folder with the programs of `package`, which is installed when it is not there yet."""
    pin = PINS[package]
    version = "{}.{}".format(*sys.version_info)
    home = cache / f"{pin.replace('==', '-')}-py{version}"
    finished = home / "installed"
    if not finished.exists():
        print(f"installing {pin} into {home}", file=sys.stderr, flush=True)
        # setuptools: both import pkg_resources in places, and Python 3.12 brings none.
        _install(home, pin, "setuptools<81")
        finished.touch()
    return home / "bin"


def _install(home: Path, *wanted: str) -> None:
    venv.create(home, with_pip=True, clear=True)
    words = [str(home / "bin/pip"), "install", "--quiet", *wanted]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise Missing(f"{wanted[0]} can not be installed: {reason}")
