"""How many of a number: a count, or a percentage of it."""

from __future__ import annotations

from cvec_circus_core.model.kinds import Kind
from cvec_circus_core.model.values import Struct

_FORM = "a count or a percentage"


class Amount(Struct, frozen=True):
    """A count of processes, or so many percent of those that are wanted."""

    number: int
    percent: bool = False

    def most(self, wanted: int) -> int:
        """Return the count, a part of a process taken as a whole one."""
        return -(-self.number * wanted // 100) if self.percent else self.number

    def least(self, wanted: int) -> int:
        """Return the count, a part of a process not counted."""
        return self.number * wanted // 100 if self.percent else self.number


ALL = Amount(100, percent=True)
NONE = Amount(0)


def _parse(text: str) -> Amount:
    word = text.strip()
    digits = word.removesuffix("%").rstrip()
    if not digits.isdecimal() or len(digits) > 9:
        raise ValueError(_FORM)
    return Amount(int(digits), word.endswith("%"))


def _check(value: object) -> Amount:
    match value:
        case Amount():
            return value
        case str():
            return _parse(value)
        case int() if not isinstance(value, bool) and value >= 0:
            return Amount(value)
        case _:
            raise ValueError(_FORM)


def _show(amount: Amount) -> int | str:
    return f"{amount.number}%" if amount.percent else amount.number


AMOUNT = Kind("amount", "a count such as 2, or a percentage such as 50%", _parse, _check, _show)
