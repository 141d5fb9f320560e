"""Reading configurations from texts: what the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import load
from cvec_circus_plugins.formats.ini import IniFormat

Reader = Callable[..., Loaded]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Return what loads a text as ``app.ini``, other files beside it."""

    def load_text(
        text: str, environ: Mapping[str, str] | None = None, beside: Mapping[str, str] | None = None
    ) -> Loaded:
        for name, content in {"app.ini": text, **(beside or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return load(tmp_path / "app.ini", [IniFormat()], environ or {})

    return load_text


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[str]]:
    """Return what turns problems into lines, without the folder of the test."""

    def lines(problems: tuple[object, ...]) -> list[str]:
        return [str(problem).replace(f"{tmp_path}/", "") for problem in problems]

    return lines
