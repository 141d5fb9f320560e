"""Ports that a new configuration takes from one watcher and gives to another.

What binds its own port says in no option which it is: a number in its command or its environment is
all that there is to see. A number that only looks like a port costs nothing but the order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cvec_circus_core.model.specs import WatcherSpec

_NUMBER = re.compile(r"(?<![\d.])\d{2,5}(?![\d.])")


def numbers_in(text: str) -> frozenset[int]:
    """Return the numbers in a text that may be ports."""
    return frozenset(map(int, _NUMBER.findall(text)))


def ports_named_by(spec: WatcherSpec) -> frozenset[int]:
    """Return the numbers in a watcher's command and environment that may be ports."""
    return numbers_in(" ".join((spec.cmd, *spec.args, *spec.env.values())))


def let_go(old: WatcherSpec, new: WatcherSpec) -> frozenset[int]:
    """Return the numbers that a watcher names no longer, or that it has no processes for."""
    still_named = ports_named_by(new) if new.numprocesses else frozenset()
    return ports_named_by(old) - still_named


def joined_with_givers(
    groups: Sequence[Sequence[str]],
    taken: Mapping[str, frozenset[int]],
    given: Mapping[str, frozenset[int]],
) -> list[list[str]]:
    """Let each watcher that gives something up go no later than the first that takes it.

    ``groups`` are keys in the order of their turns. Two that exchange something need each other to
    go, so they have their turn together, as all have that hang together.
    """
    ordered = [list(group) for group in groups]
    place = {key: number for number, group in enumerate(ordered) for key in group}
    wanted: dict[int, int] = {}
    for key in sorted(place, key=place.__getitem__, reverse=True):
        for port in taken.get(key, ()):
            wanted[port] = place[key]
    has_moved = True
    while has_moved:
        has_moved = False
        for key, ports in given.items():
            first = min((wanted[port] for port in ports if port in wanted), default=None)
            if key not in place or first is None or first >= place[key]:
                continue
            ordered[place[key]].remove(key)
            ordered[first].append(key)
            place[key], has_moved = first, True
            for port in taken.get(key, ()):
                wanted[port] = min(first, wanted[port])
    return [group for group in ordered if group]
