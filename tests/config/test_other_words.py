"""Words of other managers: each one means something that is there."""

from __future__ import annotations

import pytest

from cvec_circus_core.config.foreign_option_names import MEANT, NONE_OF_OURS
from cvec_circus_core.model.option_reader import Free, locate
from cvec_circus_core.model.specs import WatcherSpec


@pytest.mark.parametrize("word", [*MEANT, *NONE_OF_OURS])
def test_a_word_of_others_is_no_option_of_ours(word: str) -> None:
    assert word == word.lower()
    assert isinstance(locate(WatcherSpec, word), Free)


@pytest.mark.parametrize("meant", sorted(set(MEANT.values())))
def test_what_is_meant_is_an_option_or_a_section(meant: str) -> None:
    key = meant.split()[0]
    assert (
        meant.startswith("the section [")
        or meant.endswith(" in [circus]")
        or not isinstance(locate(WatcherSpec, key), Free)
    )


def test_no_word_is_in_both_tables() -> None:
    assert not MEANT.keys() & NONE_OF_OURS.keys()
