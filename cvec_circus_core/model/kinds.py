"""Kinds of option values: how text and JSON become a value, and what is allowed.

Every option names its kind once (`options.py`). A configuration file brings text, a command brings
JSON, a library caller brings Python values: the kind reads all three, and says in one short phrase
what it would have taken.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from typing import Any

from cvec_circus_core.model.signal_names import read_signal
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.words import SplitText

_TRUE = frozenset({"yes", "true", "on", "1"})
_FALSE = frozenset({"no", "false", "off", "0"})


def _as_it_is(value: object) -> object:
    return value


class Kind(Struct, frozen=True):
    """One kind of value.

    ``parse`` reads the text of a configuration file, ``check`` a JSON or Python value; both
    raise ValueError, with a phrase that continues "… isn't", for what they can not use. ``show``
    turns a value into JSON that ``check`` takes back.
    """

    name: str
    allowed: str
    parse: Callable[[str], Any]
    check: Callable[[Any], Any]
    show: Callable[[Any], Any] = _as_it_is


LARGEST = 2**63 - 1
"""What the system's own integers hold."""
_LARGEST_EXIT_CODE = 255
_LARGEST_ID = 2**32 - 2
"""The account after it means "leave it as it is" to the system."""


def _parse_integer(text: str) -> int:
    try:
        number = int(text.strip())
    except ValueError:
        raise ValueError("an integer") from None
    return _check_integer(number)


def _check_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("an integer")
    if abs(value) > LARGEST:
        raise ValueError("an integer of reasonable size")
    return value


def _parse_number(text: str) -> float:
    try:
        number = float(text.strip())
    except ValueError:
        raise ValueError("a number") from None
    return _check_number(number)


def _check_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number")
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("a finite number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number of reasonable size") from None


def _parse_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("a boolean")


def _check_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("a boolean")
    return value


def _check_text(value: object) -> str:
    if isinstance(value, PathLike):
        value = fspath(value)
    if not isinstance(value, str):
        raise ValueError("a text")
    if "\0" in value:
        raise ValueError("a text without NUL characters")
    return value


def _parse_text(text: str) -> str:
    return _check_text(text)


def _show_words(words: tuple[str, ...]) -> str | list[str]:
    return words.text if isinstance(words, SplitText) and words.text else list(words)


def _parse_words(text: str) -> tuple[str, ...]:
    _check_text(text)
    try:
        return SplitText(text)
    except ValueError as error:
        raise ValueError(f"a list of words ({str(error).lower()})") from None


def _check_words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return _parse_words(_check_text(value))
    if not isinstance(value, list | tuple):
        raise ValueError("a text or a list")
    return tuple(_check_text(str(word)) for word in value)


def _parse_names(text: str) -> tuple[str, ...]:
    return tuple(_check_text(text).replace(",", " ").split())


def _check_names(value: object) -> tuple[str, ...]:
    return _parse_names(value) if isinstance(value, str) else _check_words(value)


def _parse_account(text: str) -> int | str:
    word = text.strip()
    if not word:
        raise ValueError("a name or number")
    return _check_account(int(word)) if word.isdecimal() else word


def _check_account(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a name or number")
    if isinstance(value, int):
        if value < 0:
            raise ValueError("a name or a positive number")
        if value > _LARGEST_ID:
            raise ValueError(f"a name or a number up to {_LARGEST_ID}")
        return value
    return _parse_account(value)


def _parse_octal(text: str) -> int:
    try:
        number = int(text.strip(), 8)
    except ValueError:
        raise ValueError("an octal number") from None
    return _check_octal(number)


def _check_octal(value: object) -> int:
    if isinstance(value, str):
        return _parse_octal(value)
    number = _check_integer(value)
    if not 0 <= number <= 0o7777:
        raise ValueError("an octal number from 000 to 7777")
    return number


def _show_octal(value: int | None) -> str | None:
    return None if value is None else format(value, "03o")


UNEXPECTED = "unexpected"


def _parse_respawn(text: str) -> bool | str:
    return UNEXPECTED if text.strip().lower() == UNEXPECTED else _parse_boolean(text)


def _check_respawn(value: object) -> bool | str:
    return UNEXPECTED if value == UNEXPECTED else _check_boolean(value)


def _parse_exit_codes(text: str) -> tuple[int, ...]:
    try:
        return _check_exit_codes([int(word) for word in text.replace(",", " ").split()])
    except ValueError:
        raise ValueError("a list of exit codes") from None


def _check_exit_codes(value: object) -> tuple[int, ...]:
    if isinstance(value, str):
        return _parse_exit_codes(value)
    codes = [value] if isinstance(value, int) else value
    if not isinstance(codes, list | tuple):
        raise ValueError("a list of exit codes")
    checked = tuple(_check_integer(code) for code in codes)
    if not all(0 <= code <= _LARGEST_EXIT_CODE for code in checked):
        raise ValueError("a list of exit codes")
    return checked


INTEGER = Kind("integer", "an integer", _parse_integer, _check_integer)
NUMBER = Kind("number", "a number", _parse_number, _check_number)
BOOLEAN = Kind("boolean", "yes, true, on, 1, no, false, off or 0", _parse_boolean, _check_boolean)
RESPAWN = Kind(
    "boolean or unexpected", f"{BOOLEAN.allowed}; or unexpected", _parse_respawn, _check_respawn
)
EXIT_CODES = Kind(
    "exit codes", "numbers from 0 to 255, such as 0, 2", _parse_exit_codes, _check_exit_codes, list
)
TEXT = Kind("text", "any text", _parse_text, _check_text)
WORDS = Kind("words", "words, split like a shell would", _parse_words, _check_words, _show_words)
NAMES = Kind("names", "names, separated by white space or commas", _parse_names, _check_names, list)
SIGNAL = Kind("signal", "the name or number of a signal", read_signal, read_signal)
ACCOUNT = Kind("account", "a name or number", _parse_account, _check_account)
OCTAL = Kind("octal", "an octal number such as 022", _parse_octal, _check_octal, _show_octal)
LOWER = Kind(
    "name",
    "a name",
    lambda text: _parse_text(text).lower(),
    lambda value: _check_text(value).lower(),
)
ANYTHING = Kind("anything", "anything", _parse_text, _as_it_is)


def _bounded(kind: Kind, low: float, high: float | None) -> Kind:
    limit = f"at least {low:.12g}" if high is None else f"from {low:.12g} to {high:.12g}"
    # Right behind examples, a limit would read as if it were of the last one.
    allowed = f"{kind.allowed}{',' if ' such as ' in kind.allowed else ''} {limit}"

    def bound(number: float) -> float:
        if number < low or (high is not None and number > high):
            raise ValueError(f"{'an' if kind.name == 'integer' else 'a'} {kind.name} {limit}")
        return number

    return Kind(
        kind.name,
        allowed,
        lambda text: bound(kind.parse(text)),
        lambda value: bound(kind.check(value)),
        kind.show,
    )


def or_none(kind: Kind) -> Kind:
    """Return the kind that takes JSON's null, too.

    In a file only an empty text stands for it, and not for an account: a user name that expands to
    nothing must not silently become the daemon's own user.
    """
    return Kind(
        kind.name,
        kind.allowed,
        kind.parse if kind is ACCOUNT else lambda text: kind.parse(text) if text else None,
        lambda value: None if value is None else kind.check(value),
        kind.show,
    )


def each(kind: Kind, change: Callable[[str], str]) -> Kind:
    """Return the kind of list whose words are changed as they are read."""
    return Kind(
        kind.name,
        kind.allowed,
        lambda text: tuple(map(change, kind.parse(text))),
        lambda value: tuple(map(change, kind.check(value))),
        kind.show,
    )


def at_least(kind: Kind, low: float) -> Kind:
    """Return the kind with a lower bound."""
    return _bounded(kind, low, None)


def between(kind: Kind, low: float, high: float) -> Kind:
    """Return the kind with both bounds, inclusive."""
    return _bounded(kind, low, high)


def one_of(*words: str) -> Kind:
    """Return the kind that takes one of these words, in any case, and keeps our spelling."""
    allowed = ", ".join(words[:-1]) + f" or {words[-1]}"
    by_lower = {word.lower(): word for word in words}

    def check(value: object) -> str:
        spelled = by_lower.get(value.strip().lower()) if isinstance(value, str) else None
        if spelled is None:
            raise ValueError(f"one of {allowed}")
        return spelled

    return Kind("word", allowed, check, check)
