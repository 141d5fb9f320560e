"""A spec while its options are gathered, before it is checked as a whole."""

from __future__ import annotations

from typing import Any

from cvec_circus_core.model.option_reader import Free, Member, Place, Plain, Whole
from cvec_circus_core.model.options import declared_families
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import field_names

_NAMELESS = WatcherSpec(name="")


class Draft:
    """The options of a watcher that were given, on top of what it was before."""

    def __init__(self, base: WatcherSpec = _NAMELESS) -> None:
        self._values: dict[str, Any] = {name: getattr(base, name) for name in field_names(base)}
        for name in (*declared_families(WatcherSpec), "extra"):
            self._values[name] = dict(self._values[name])
        self.given: set[str] = set()
        """Names of the fields that were given something."""

    def __getitem__(self, field: str) -> Any:
        return self._values[field]

    def put(self, place: Place, value: object) -> None:
        """Take a value that was read for this place."""
        match place:
            case Plain(option):
                self.set(option.name, value)
            case Member(family, member) if value is None and not family.keeps_null:
                self._values[family.name].pop(member, None)
            case Member(family, member):
                self._values[family.name][member] = value
                self.given.add(family.name)
            case Whole(family):
                self.set(family.name, value)
            case Free(key) if value is None:
                self._values["extra"].pop(key, None)
            case Free(key):
                self._values["extra"][key] = value

    def set(self, field: str, value: object) -> None:
        """Give a field its whole value."""
        self._values[field] = value
        self.given.add(field)

    def spec(self) -> WatcherSpec:
        """Return the spec. Raises ValueError where options contradict each other."""
        return WatcherSpec(**self._values)
