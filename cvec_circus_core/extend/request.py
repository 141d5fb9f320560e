"""How a command declares its properties: once, for the wire and for the command line.

    class StopRequest(Request):
        name: str | None = prop(None, "watcher, or a pattern", positional=True)
        waiting: bool = prop(False, "answer when it is done")

The daemon checks types by msgspec (see `requests/properties.py`); circusctl builds its arguments
from the same lines. This module imports next to nothing, because circusctl's start is felt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
"""Default of a property that must be given."""


class Prop:
    """One declared property: its default, help, and how the command line gives it.

    ``positional`` properties come in order on the command line; the others are switches named
    after the property. ``many`` takes all the remaining words. ``each`` takes several words too,
    but sends one request per word; numbers at the end are for optional positions after it.
    ``pattern`` says that it names a watcher, and that the command line takes a pattern such as
    'web*' as well, and sends a request for each watcher that it matches. ``hidden`` ones are for
    the wire only. ``short`` is a letter: the switch may be given as ``-letter``, too.
    """

    __slots__ = (
        *("choices", "default", "each", "help", "hidden", "many", "metavar", "name"),
        *("pattern", "positional", "short"),
    )

    def __init__(
        self,
        default: Any,
        help: str,
        *,
        positional: bool = False,
        many: bool = False,
        each: bool = False,
        hidden: bool = False,
        choices: tuple[str, ...] = (),
        metavar: str = "",
        short: str = "",
        pattern: bool = False,
    ) -> None:
        self.name = ""
        self.default = default
        self.help = help
        self.positional = positional
        self.many = many
        self.each = each
        self.hidden = hidden
        self.choices = choices
        self.metavar = metavar
        self.short = short
        self.pattern = pattern

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def required(self) -> bool:
        """Tell whether a request without it is refused."""
        return self.default is REQUIRED


def prop(default: Any, help: str, **how: Any) -> Any:
    """Declare a property; see `Prop`."""
    return Prop(default, help, **how)


class Request:
    """Base of all request types: attributes declared by `prop`.

    Raises TypeError for a property that is not declared or not given. An ``open_ended`` type keeps
    the undeclared ones in ``rest`` instead.
    """

    open_ended: ClassVar[bool] = False
    rest: Mapping[str, Any]

    def __init__(self, **given: Any) -> None:
        for one in properties(type(self)):
            if one.name in given:
                setattr(self, one.name, given.pop(one.name))
            elif one.required:
                raise TypeError(f"{type(self).__name__} needs {one.name!r}")
            else:
                setattr(self, one.name, one.default)
        self.rest = given
        if given and not self.open_ended:
            raise TypeError(f"{type(self).__name__} has no {sorted(given)[0]!r}")

    def __repr__(self) -> str:
        said = ", ".join(
            f"{one.name}={getattr(self, one.name)!r}" for one in properties(type(self))
        )
        return f"{type(self).__name__}({said})"


def properties(request: type[Request]) -> tuple[Prop, ...]:
    """Return the properties of a request type, in order of declaration, bases first."""
    found: dict[str, Prop] = {}
    for base in reversed(request.__mro__):
        found.update({k: v for k, v in vars(base).items() if isinstance(v, Prop)})
    return tuple(found.values())
