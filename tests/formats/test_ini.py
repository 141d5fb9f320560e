"""The ini dialect, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cvec_circus_core.config.raw import RawConfig
from cvec_circus_plugins.formats.ini import IniFormat


def read(text: str) -> RawConfig:
    return IniFormat().read(text, "app.ini")


def values(text: str) -> dict[str, str]:
    """Return the options of one section with these lines."""
    config = read(f"[s]\n{text}")
    assert not config.problems
    return {key: raw.text for key, raw in config.section("s").values.items()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1", {"a": "1"}),
        ("a=1", {"a": "1"}),
        ("a: 1", {"a": "1"}),
        ("a : b = c", {"a": "b = c"}),
        ("a = b:c", {"a": "b:c"}),
        ("a b = 1", {"a b": "1"}),
        ("A = 1\na = 2", {"A": "1", "a": "2"}),
        ("a =", {"a": ""}),
        ('a = ""', {"a": ""}),
        ('a = "x"', {"a": '"x"'}),
        ("a = 100%", {"a": "100%"}),
        ("a = %(b)s\nb = 1", {"a": "%(b)s", "b": "1"}),
        ("# a = 1", {}),
        ("; a = 1", {}),
        ("rem a = 1", {}),
        ("REM a = 1", {}),
        ("rem", {}),
        ("remote = 1", {"remote": "1"}),
        ("a = x ; y", {"a": "x"}),
        ("a = x\t; y", {"a": "x"}),
        ("a = 'x ; y'", {"a": "'x"}),
        ("a = ; y", {"a": ""}),
        ("a = x;y", {"a": "x;y"}),
        ("a = x # y", {"a": "x # y"}),
        ("a = one\n  two\n\tthree", {"a": "one\ntwo\nthree"}),
        ("a = one\n\n  two", {"a": "one\ntwo"}),
        ("a = one\n  two ; three", {"a": "one\ntwo ; three"}),
        ("a = one\n  b = two", {"a": "one\nb = two"}),
        ("a = 1\r\nb = 2\r\n", {"a": "1", "b": "2"}),
        ("a = 1\n\n\nb = 2", {"a": "1", "b": "2"}),
        ("ä = ö", {"ä": "ö"}),
    ],
)
def test_options(text: str, found: dict[str, str]) -> None:
    assert values(text) == found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[a]\n[B]", ["a", "B"]),
        ("[a b]", ["a b"]),
        ("[ a ]", ["a"]),
        ("[a] ; comment", ["a"]),
        ("[watcher:a:b]", ["watcher:a:b"]),
        ("\ufeff[a]", ["a"]),
        ("", []),
    ],
)
def test_sections(text: str, names: list[str]) -> None:
    config = read(text)
    assert [section.name for section in config.sections] == names
    assert not config.problems


def test_every_value_knows_its_place() -> None:
    config = read("# head\n\n[a]\nx = 1\n  2\ny = 3\n")
    section = config.section("a")
    assert (section.file, section.line) == ("app.ini", 3)
    assert [(raw.file, raw.line) for raw in section.values.values()] == [
        ("app.ini", 4),
        ("app.ini", 6),
    ]


def test_all_broken_lines_are_told_and_the_rest_is_read() -> None:
    config = read("early = 1\n[a]\nnovalue\n= x\n[b\nlost = 1\n[]\n[c]\n  indented = 1\ngood = 1\n")
    assert [str(problem) for problem in config.problems] == [
        "app.ini:1: 'early = 1' stands before the first section",
        "app.ini:3: [a]: 'novalue' has no value; write NAME = VALUE",
        "app.ini:4: [a]: '= x' has no name; write NAME = VALUE",
        "app.ini:5: [a]: '[b' is no section; write [NAME]",
        "app.ini:7: [a]: '[]' is no section; write [NAME]",
        "app.ini:9: [c]: 'indented = 1' is indented, but there is no value above to go on with",
    ]
    assert config.section("c").values["good"].text == "1"
    assert not config.section("a").values


def test_the_first_of_two_values_counts_with_a_warning() -> None:
    config = read("[a]\nx = 1\nx = 2\n  3\n")
    assert config.section("a").values["x"].text == "1"
    assert [str(warning) for warning in config.warnings] == [
        "app.ini:3: [a] x: is given before, on line 2; this one is left out"
    ]


@pytest.mark.parametrize("line", ["# no comment", "; no comment", "[no section]"])
def test_an_indented_line_that_looks_like_something_else_is_warned_of(line: str) -> None:
    config = read(f"[a]\nx = 1\n  {line}\n")
    assert config.section("a").values["x"].text == f"1\n{line}"
    assert [warning.line for warning in config.warnings] == [3]


def test_words_after_a_section_are_warned_of() -> None:
    assert [warning.line for warning in read("[a] b\n").warnings] == [1]


LINES = st.lists(
    st.one_of(
        st.text(alphabet="[]=:;# \tab\\\"'$%\r\x00\x0b\u2028", max_size=12),
        st.sampled_from(["[a]", "[a", "x = 1", "  y", "rem", "rem x", "", "x", "= 1"]),
        st.text(max_size=10),
    )
)


@given(LINES)
def test_any_text_is_read(lines: list[str]) -> None:
    config = read("\n".join(lines))
    for problem in (*config.problems, *config.warnings):
        assert problem.line
        assert len(str(problem).splitlines()) == 1
    for section in config.sections:
        assert section.name
        assert all(section.values)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True).filter(lambda key: key != "rem"),
        st.from_regex(r"[a-zA-Z0-9/$%()=:'#][a-zA-Z0-9/$%()=:'# ]{0,20}", fullmatch=True),
    )
)
def test_what_is_written_is_read_back(options: dict[str, str]) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in options.items())
    assert values(text) == {key: value.strip() for key, value in options.items()}
