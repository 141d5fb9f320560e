"""Conditions on the labels of hosts."""

from __future__ import annotations

import pytest

from cvec_circus_plugins.fleet.condition import read_condition

A_SSD = {"zone": "a", "disk": "ssd"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("   ", True),
        ('zone == "a"', True),
        ("zone == 'b'", False),
        ('zone != "b"', True),
        ('zone == "a" and disk == "ssd"', True),
        ('zone == "a" and disk == "hdd"', False),
        ('zone == "b" or disk == "ssd"', True),
        ('not (zone == "b" or disk == "ssd")', False),
        ('zone in ["a", "b"]', True),
        ('zone not in ("a", "b")', False),
        ('gpu == ""', True),
        ('gpu != ""', False),
    ],
)
def test_what_holds(text: str, holds: bool) -> None:
    assert read_condition(text).holds(A_SSD) is holds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zone = a", "isn't a condition"),
        ("zone", "compares no label with a text"),
        ("zone == a", "by something else than"),
        ('"a" == zone', "compares no label with a text"),
        ('zone < "b"', "by something else than"),
        ("zone == 1", "by something else than"),
        ("zone in [1]", "more than texts"),
        ('"a" < zone < "c"', "compares no label with a text"),
        ("__import__('os').abort()", "compares no label with a text"),
        ("zone == " + "(" * 300 + '"a"' + ")" * 300, "isn't a condition"),
        ("zone == " + '"' + "a" * 2000 + '"', "is longer than"),
        ("\0", "isn't a condition"),
    ],
)
def test_what_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_condition(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_chain_is_no_trouble() -> None:
    assert read_condition("not " * 200 + 'zone == "a"').holds(A_SSD)
