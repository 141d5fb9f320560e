"""Virtual environments: where their packages are."""

from __future__ import annotations

from pathlib import Path

_PACKAGES = "site-packages"


def site_packages(virtualenv: str, version: str, usual: str) -> str:
    """Return the folder of packages of a virtual environment.

    ``version`` is the Python that was asked for, as ``python3.12``, or empty; ``usual`` is our own.
    Where neither is there, and one other is, that one is meant. Raises ValueError with a sentence.
    """
    lib = Path(virtualenv, "lib")
    if not Path(virtualenv).is_dir():
        raise ValueError(f"the virtualenv {virtualenv!r} is not there")
    wanted_version = version or usual
    if (lib / wanted_version / _PACKAGES).is_dir():
        return str(lib / wanted_version / _PACKAGES)
    present = sorted(folder.parent for folder in lib.glob(f"python*/{_PACKAGES}"))
    if len(present) == 1 and not version:
        return str(present[0] / _PACKAGES)
    names = ", ".join(folder.name for folder in present) or "none"
    raise ValueError(f"the virtualenv {virtualenv!r} has no {wanted_version} (it has {names})")
