"""What a process is furnished with: environment variables and resource limits, as options."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from functools import partial

from cvec_circus_core.model.kinds import LARGEST, Kind
from cvec_circus_core.model.quantities import DURATION, SIZE

RLIMIT_NAMES = frozenset(
    name.removeprefix("RLIMIT_").lower() for name in dir(resource) if name.startswith("RLIMIT_")
)
"""The limits that this machine knows, in lower case and without their prefix."""


def _check_mapping(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("an object of strings")
    return {_variable_name(key): _variable_value(item) for key, item in value.items()}


def _variable_name(name: object) -> str:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise ValueError("an object whose keys can name environment variables")
    return name


def _variable_value(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("an object of strings")
    return value


def _parse_pairs(text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(",") if item.strip()]
    if not all(mark for _, mark, _ in pairs):
        raise ValueError("KEY=VALUE pairs, separated by commas")
    return _check_mapping({key.strip(): value.strip() for key, _, value in pairs})


def _parse_limit(text: str, unit: Kind = SIZE) -> int | None:
    word = text.strip().lower()
    if word in ("", "-1", "unlimited", "infinity"):
        return None
    try:
        number = unit.parse(word)
        return _check_limit(int(number) if number == int(number) else number)
    except ValueError:
        raise ValueError("a number of units, or nothing for unlimited") from None


def _check_limit(value: object) -> int | None:
    if value is None or value == -1:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise ValueError("an integer or null")
    return value


MAPPING = Kind(
    "mapping", "KEY=VALUE pairs, separated by commas", _parse_pairs, _check_mapping, dict
)
LIMIT = Kind(
    "limit", "an integer of at least 0, or nothing for unlimited", _parse_limit, _check_limit
)
CPU_LIMIT = Kind(
    "limit",
    "seconds, a time such as 1h30m, or nothing for unlimited",
    partial(_parse_limit, unit=DURATION),
    _check_limit,
)
