"""A few thousand lines through every stream: each is there once, whole, and in order."""

from __future__ import annotations

import pytest

from tests.streams.exactly_once import KINDS, Field

pytestmark = pytest.mark.live

WORKERS, LINES = 6, 8000


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Return the workers and what they say."""
    made = Field(tmp_path_factory.mktemp("lines"), WORKERS)
    made.fill(LINES)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_is_there_once(field: Field, kind: str) -> None:
    field.run(kind)
