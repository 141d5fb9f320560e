"""The pictures of the documentation can be made anew, and the documentation shows all of them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from tests.browser.pictures import FOLDER, PICTURES, stage, take
from tests.live.daemon import ROOT

MOST_BYTES = 200_000


def size_of(file: Path) -> tuple[int, int]:
    """Return the width and height of a PNG."""
    head = file.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_pictures_are_made_and_are_those_of_the_documentation(
    chromium: Any, tmp_path: Path
) -> None:
    with stage() as console:
        take(chromium, console, tmp_path, points=4, more=False)
    page = (ROOT / "docs" / "howto" / "web-console.rst").read_text(encoding="utf-8")
    for name in PICTURES:
        fresh, documented = tmp_path / f"{name}.png", FOLDER / f"{name}.png"
        assert size_of(fresh) == size_of(documented)
        assert documented.stat().st_size < MOST_BYTES
        assert f"console/{name}.png" in page
