"""What is read out of the texts of an older daemon."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_plugins.prometheus import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0:01.25", 1.25), ("12:05.10", 725.1), ("600:00.00", 36000.0), ("N/A", 0.0), (None, 0.0)],
)
def test_processor_time(text: Any, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)
