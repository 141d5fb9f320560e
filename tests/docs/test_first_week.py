"""The page about the first week shows what a terminal shows."""

from __future__ import annotations

import pytest

from tests.docs.first_week import PAGE, THINGS, fingerprint, page, seen

pytestmark = pytest.mark.live


def test_the_page_shows_what_a_terminal_shows() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert len(THINGS) == 20
    shown = seen()
    for thing, outputs in zip(THINGS, shown, strict=True):
        for command, output in zip(thing.commands, outputs, strict=True):
            assert fingerprint(f"$ {command} {output}") in fingerprint(written), thing.title
    assert fingerprint(page(shown)) == fingerprint(written), "python -m tests.docs.first_week"
