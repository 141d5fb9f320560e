"""All of these start real processes."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if "tests/leaks/" in item.path.as_posix():
            item.add_marker(pytest.mark.live)
