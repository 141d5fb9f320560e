"""Houses, each called to account and taken down."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.keys.house import House

Build = Callable[..., House]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if "tests/keys/" in item.path.as_posix():
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="module")
def build() -> Iterator[Build]:
    """Start a daemon on sections of watchers and keys of its own."""
    made: list[House] = []

    def build(
        body: str, circus: str = "", beside: Mapping[str, str] | None = None, **environment: str
    ) -> House:
        house = House()
        made.append(house)
        for name, text in (beside or {}).items():
            file = house.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(house.fill(text))
        house.circus = house.fill(circus)
        house.write(house.fill(body))
        return house.start(**environment)

    try:
        yield build
        for one in made:
            one.account()
    finally:
        for one in made:
            one.clean_up()
            shutil.rmtree(one.folder, ignore_errors=True)
