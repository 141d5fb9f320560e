"""Values as bytes that another version of the program reads, older or newer.

A value becomes plain data: a struct is a mapping of its fields, an enumeration its value. A reader
ignores fields that it does not know, and takes the default of those that are missing, so a field
may be added if it has a default, and may be dropped, but not change what it means. Where that is
not enough, `FORM` is counted up, and a program of the form before says that it can not read it.
"""

from __future__ import annotations

import marshal
from typing import TypeVar

import msgspec

T = TypeVar("T")

FORM = 1
_MARSHAL = 2
"""The version of marshal's format that every Python reads."""


class BadForm(ValueError):
    """What was written by another version can not be read here."""


def dump(value: object) -> bytes:
    """Return a value as bytes; what is not plain in it, such as a callable, becomes its text."""
    # Bytes stay as they are, and so do texts with bytes in them that are no UTF-8.
    data = msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=str)
    return marshal.dumps((FORM, data), _MARSHAL)


def load(data: bytes, kind: type[T]) -> T:
    """Return the value that was written, of a kind. Raises `BadForm`."""
    try:
        form, plain = marshal.loads(data)  # noqa: S302 - of a program of this user
        if form != FORM:
            raise BadForm(f"its form is {form}, and {FORM} can be read")
        return msgspec.convert(plain, kind)
    except (TypeError, ValueError, EOFError) as error:
        raise BadForm(str(error)) from error
