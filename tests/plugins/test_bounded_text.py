"""What others wrote is matched, expanded and shown within bounds."""

from __future__ import annotations

import pkgutil
import re
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, strategies as st

import cvec_circus_cli
import cvec_circus_core
import cvec_circus_plugins
from cvec_circus_core.config.load import BadConfig, accepted, load
from cvec_circus_core.extend.registry import load_formats
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.readiness import logged
from cvec_circus_core.model.regex import LONGEST_PATTERN, Regex
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.text import TooLong, escaped, quoted
from cvec_circus_core.model.words import split_words
from cvec_circus_core.policy.launch import SpawnEnvironment, expand, prepare
from cvec_circus_core.policy.name_patterns import matches
from cvec_circus_plugins.streams._line_prefix import Stamp
from cvec_circus_plugins.watchdog import WatchDogSettings

NAME = "a" * 40
LONG = 20_000
ENDLESS = [
    "(.|.)*Q",
    "(a|aa)+Q",
    "(a+)+$b",
    "(.*)*(.*)*(.*)*Q",
    "(?:a?){40}a{40}Q",
    r"(\w+\s?)*Q",
    "(a|ab|b)*Q",
]
TOO_LARGE = ["((((a{99}){99}){99}){99})", "(?:(?:a{1000}){1000}){1000}", "(" * 5000, "a" * 5000]


class Slow(Exception):
    """It took too long."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Break off what takes longer, which nothing else could do while Python's engine runs."""

    def break_off(signum: int, frame: FrameType | None) -> None:
        raise Slow

    before = signal.signal(signal.SIGALRM, break_off)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_no_pattern_of_a_caller_takes_long(pattern: str) -> None:
    Regex("a").checked()  # the library is loaded once
    with limit(0.5):
        is_meant = matches(pattern, "regex")
        assert not any(is_meant(f"{NAME}{number}") for number in range(100))
        assert not logged(pattern).is_met_by("a" * 16_384)
        settings = WatchDogSettings(msg_regex=Regex(f"{pattern}(?P<pid>x)"))
        assert settings.msg_regex.fullmatch("a" * 16_384) is None


@pytest.mark.parametrize("pattern", TOO_LARGE)
def test_a_pattern_that_would_be_too_large_is_refused(pattern: str) -> None:
    with limit(0.5):
        with pytest.raises(BadMessage):
            matches(pattern, "regex")
        with pytest.raises(ValueError, match="a way to be ready"):
            logged(pattern)


@pytest.mark.parametrize("pattern", ["*a" * 500, "?" * 1000, "[!b]" * 250, "a*" * 499 + "b"])
def test_no_glob_takes_long(pattern: str) -> None:
    with limit(0.5):
        matches(pattern, "glob")(NAME * 20)
    with pytest.raises(BadMessage, match="longer than 1000 characters"):
        matches("*" * (LONGEST_PATTERN + 1), "glob")


def test_what_goes_back_is_refused_with_the_reason() -> None:
    with pytest.raises(BadMessage, match=r"bad regex '\(\?=a\)': invalid perl operator"):
        matches("(?=a)", "regex")
    with pytest.raises(BadMessage, match="half a character"):
        matches("\udcff", "regex")
    assert matches("w.b", "regex")("WEB-1")
    assert not matches("eb", "regex")("web")
    assert not matches("web", "regex")("\udcff")


TEXTS = [
    *(" ", "a", "$(", '"', "'", "\\", "1.", "[a", "a=", ": ", "((circus.", "$(circus.a", "a.b-"),
    *("1:", "{", "\t\n", "$(env.", ";", " ;"),
]


def test_no_pattern_of_ours_takes_long_on_any_text() -> None:
    ours: dict[re.Pattern[str] | re.Pattern[bytes], str] = {}
    for package in (cvec_circus_core, cvec_circus_plugins, cvec_circus_cli):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name.startswith("cvec_circus_cli.top"):
                continue  # it needs a package that need not be there
            for name, value in vars(import_module(info.name)).items():
                if isinstance(value, re.Pattern):
                    ours.setdefault(value, f"{info.name}.{name}")
    assert len(ours) > 10
    for pattern, name in ours.items():
        for piece in TEXTS:
            text = piece * LONG + "\0"
            try:
                with limit(1.0):
                    if isinstance(pattern.pattern, bytes):
                        pattern.fullmatch(text.encode())
                    else:
                        pattern.fullmatch(text)
            except Slow:
                pytest.fail(f"{name} takes long on {piece!r}")


def test_variables_do_not_grow_without_a_bound() -> None:
    with pytest.raises(TooLong):
        expand("$(circus.env.a)" * 60_000, {"env.a": "x" * 500_000})
    assert expand("$(circus.env.a)" * 3, {"env.a": "xy"}) == "xyxyxy"
    long = "y" * 200_000
    assert expand(f"{long}$(circus.no)", {}) == f"{long}$(circus.no)"


def test_variables_that_name_each_other_twice_do_not_fill_the_memory() -> None:
    env = {"a0": "x" * 100}
    env |= {f"a{number}": f"$(circus.env.a{number - 1})" * 2 for number in range(1, 60)}
    begun_at = time.monotonic()
    with pytest.raises(ValueError, match="longer than 131072 characters"):
        prepare(WatcherSpec(name="w", cmd="x", env=env), SpawnEnvironment())
    assert time.monotonic() - begun_at < 5


@pytest.mark.parametrize(
    "prefix", ["{time:>999999999}", "{pid:{wid}}", "{pid:0100}", "{pid.__class__}", "{pid[0]}"]
)
def test_a_prefix_is_no_program(prefix: str) -> None:
    with limit(1.0), pytest.raises(Exception, match="can not be filled in"):
        Stamp(None, prefix)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain wörd", "plain wörd"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\u2028b\u202ec\x85", r"a\u2028b\u202ec\x85"),
        (b"\xffbytes\x00", "\N{REPLACEMENT CHARACTER}bytes" + r"\x00"),
        ("\udcff", r"\udcff"),
        (7, "7"),
        ("x" * 300, "x" * 199 + "…"),
        ("\n" * 300, r"\n" * 99 + "\\" + "…"),
    ],
)
def test_text_from_outside_is_one_short_line(text: object, shown: str) -> None:
    assert escaped(text) == shown
    assert quoted(text) == f"'{shown}'"
    assert len(escaped(text)) <= 200


def test_variables_of_a_file_that_name_each_other_twice_are_told(tmp_path: Path) -> None:
    lines = [f"A{number} = $A{number - 1}$A{number - 1}" for number in range(1, 60)]
    file = tmp_path / "c.ini"
    file.write_text(
        "\n".join(["[env]", f"A0 = {'x' * 100}", *lines, "[watcher:w]", "cmd = sleep 1"])
    )
    with limit(5.0), pytest.raises(BadConfig) as error:
        accepted(load(str(file), load_formats(), {}), skip_bad=False)
    (problem,) = map(str, error.value.problems)
    assert "A11 = $A10$A10: isn't of use: variables make the text longer than 131072" in problem


@given(st.text(alphabet="ab \t\n\"'\\$#é\u2028\x0b", max_size=12))
def test_words_are_split_as_a_shell_does_it(text: str) -> None:
    try:
        expected: list[str] | str = shlex.split(text)
    except ValueError as error:
        expected = str(error)
    try:
        words: list[str] | str = split_words(text)
    except ValueError as error:
        words = str(error)
    assert words == expected


@pytest.mark.parametrize("piece", ["a ", '"', "'", "$(", "\\", "{", '\\"', '"a"', "''"])
def test_no_command_takes_long_to_split(piece: str) -> None:
    with limit(1.0), suppress(ValueError):
        split_words(piece * (130_000 // len(piece)))
    with pytest.raises(ValueError, match="longer than 131072 characters"):
        split_words(piece * 140_000)
