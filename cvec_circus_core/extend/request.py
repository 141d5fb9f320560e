"""How a command declares its properties: once, for the wire and for the command line.

    class StopRequest(Request):
        name: str | None = prop(None, "watcher, or a pattern", positional=True)
        waiting: bool = prop(False, "answer when it is done")

The daemon checks types by msgspec (see `requests/properties.py`); circusctl builds its arguments
from the same lines. This module imports next to nothing, because circusctl's start is felt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    class PropOptions(TypedDict, total=False):
        """What `prop` takes besides default and help; see `Prop`."""

        positional: bool
        many: bool
        each: bool
        hidden: bool
        choices: tuple[str, ...]
        metavar: str
        short: str
        pattern: bool
        names: str


REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
"""Default of a property that must be given."""


class Prop:
    """One declared property: its default, help, and how the command line gives it.

    ``positional`` properties come in order on the command line; the others are switches named
    after the property. ``many`` takes all the remaining words. ``each`` takes several words too,
    but sends one request per word; numbers at the end are for optional positions after it.
    ``pattern`` says that it names a watcher, and that the command line takes a pattern such as
    'web*' as well, and sends a request for each watcher that it matches. ``hidden`` ones are for
    the wire only. ``short`` is a letter: the switch may be given as ``-letter``, too. ``names``
    says what is named, for completion: a ``watcher`` (as with ``pattern``), a ``process`` or an
    ``option`` of the watcher before it, a ``socket``, or a ``signal``; else see `Command.complete`.
    """

    __slots__ = (
        *("choices", "default", "each", "help", "hidden", "many", "metavar", "name", "names"),
        *("pattern", "positional", "short"),
    )

    def __init__(
        self,
        default: object,
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
        names: str = "",
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
        self.names = names or ("watcher" if pattern else "")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def required(self) -> bool:
        """Tell whether a request without it is refused."""
        return self.default is REQUIRED


def prop(default: object, help: str, **options: Unpack[PropOptions]) -> Any:
    """Declare a property; see `Prop`. An attribute of any type may be declared so."""
    return Prop(default, help, **options)


class Request:
    """Base of all request types: attributes declared by `prop`.

    Raises TypeError for a property that is not declared or not given. An ``open_ended`` type keeps
    the undeclared ones in ``rest`` instead.
    """

    open_ended: ClassVar[bool] = False
    rest: Mapping[str, Any]

    def __init__(self, **values: object) -> None:
        for prop in properties(type(self)):
            if prop.name in values:
                setattr(self, prop.name, values.pop(prop.name))
            elif prop.required:
                raise TypeError(f"{type(self).__name__} needs {prop.name!r}")
            else:
                setattr(self, prop.name, prop.default)
        self.rest = values
        if values and not self.open_ended:
            raise TypeError(f"{type(self).__name__} has no {sorted(values)[0]!r}")

    def __repr__(self) -> str:
        values = ", ".join(
            f"{prop.name}={getattr(self, prop.name)!r}" for prop in properties(type(self))
        )
        return f"{type(self).__name__}({values})"


def properties(request: type[Request]) -> tuple[Prop, ...]:
    """Return the properties of a request type, in order of declaration, bases first."""
    declared: dict[str, Prop] = {}
    for base in reversed(request.__mro__):
        declared.update({name: prop for name, prop in vars(base).items() if isinstance(prop, Prop)})
    return tuple(declared.values())
