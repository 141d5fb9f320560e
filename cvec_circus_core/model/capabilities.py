"""Which capabilities of Linux the processes of a watcher may have, as an option.

Written as systemd's CapabilityBoundingSet: names to keep, ``none``, or after ``~`` names to take
away. In a file an empty value is refused: it may mean everything or nothing, and the two are far
apart.
"""

from __future__ import annotations

from cvec_circus_core.model.capability_set import (
    NAMES,
    NO_CAPABILITY,
    PREFIX,
    TAKES_AWAY,
    Capabilities,
)
from cvec_circus_core.model.kinds import Kind

__all__ = ("CAPABILITIES", "NAMES", "Capabilities")


def _read(value: object) -> Capabilities | None:
    if value is None or isinstance(value, Capabilities):
        return value
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return _parse(" ".join(value) or NO_CAPABILITY)
    if not isinstance(value, str):
        raise ValueError("names of capabilities")
    return _parse(value)


def _parse(text: str) -> Capabilities:
    spelled = text.strip()
    taken_away = spelled.startswith(TAKES_AWAY)
    words = spelled.removeprefix(TAKES_AWAY).replace(",", " ").lower().split()
    if words == [NO_CAPABILITY] and not taken_away:
        return Capabilities(())
    if not words:
        raise ValueError("names of capabilities")
    names = [word.removeprefix(PREFIX) for word in words]
    for word, name in zip(words, names, strict=True):
        if name not in NAMES:
            raise ValueError(f"names of capabilities ({word!r} is none)")
    return Capabilities(tuple(sorted(set(names), key=NAMES.index)), taken_away)


CAPABILITIES = Kind(
    "capabilities",
    "names of capabilities such as net_bind_service, or none, or ~ before names to take away",
    _parse,
    _read,
    lambda value: None if value is None else str(value),
)
