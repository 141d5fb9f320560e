"""What our values are made of: msgspec's structs.

Facts, effects, inputs, plans and replies are small frozen classes, more than a hundred of them, and
thousands of instances come and go with every change. A struct is made and compared in C: declaring
one costs a thirtieth of what a dataclass costs, making one a tenth, which is felt in the daemon's
start, in its memory and in the time of a death. Classes that plugin authors extend stay
dataclasses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct, StructMeta, field, structs

__all__ = ("JsonObject", "JsonValue", "Struct", "StructMeta", "field", "field_names", "replace")

T = TypeVar("T")

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)
"""What JSON can say, as far as it is only looked at."""
JsonObject: TypeAlias = "Mapping[str, JsonValue]"
"""The keys and values of a JSON object."""


def replace(value: T, **changes: object) -> T:
    """Return a copy of a struct, named tuple or dataclass with some fields changed.

    Raises TypeError or ValueError for a field that it does not have.
    """
    if isinstance(value, Struct):
        return structs.replace(value, **changes)
    if hasattr(value, "_replace"):
        copy: T = value._replace(**changes)
        return copy
    changed: Any = dataclasses.replace(value, **changes)  # type: ignore[type-var]
    return changed  # type: ignore[no-any-return]


def field_names(of: Struct | type[Struct]) -> tuple[str, ...]:
    """Return the names of a struct's fields, in order of declaration."""
    return of.__struct_fields__
