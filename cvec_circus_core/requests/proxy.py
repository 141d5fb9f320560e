"""One proxy for the ports of the supervisor: its members are made from the table of verbs.

What a member does before or after the real one is up to the kind of proxy: `restricted.py` asks for
the right of the verb, `audited.py` writes down what was done. Members are made once and not looked
up at each call: to read about all of a thousand watchers takes three thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

from cvec_circus_core.requests.verbs import Port, Verb


class PortProxy:
    """Stands before one port. What has no row in the table is not there."""

    __slots__ = ("_real",)
    port: ClassVar[Port]

    def __init__(self, real: object) -> None:
        self._real = real

    def _read(self, name: str, verb: Verb) -> object:
        value: object = getattr(self._real, name)
        return value

    def _call(
        self, name: str, verb: Verb, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> object:
        result: object = getattr(self._real, name)(*args, **kwargs)
        return result


Proxy = TypeVar("Proxy", bound=PortProxy)


def with_verbs_of(port: Port) -> Callable[[type[Proxy]], type[Proxy]]:
    """Give a proxy a member for each row of a table that it does not treat in a way of its own."""

    def fill(proxy: type[Proxy]) -> type[Proxy]:
        proxy.port = port
        for name, verb in port.verbs.items():
            if not hasattr(proxy, name):
                is_attribute = name in port.attributes
                setattr(proxy, name, (_attribute if is_attribute else _method)(name, verb))
        return proxy

    return fill


def _attribute(name: str, verb: Verb) -> property:
    return property(lambda proxy: proxy._read(name, verb))


def _method(name: str, verb: Verb) -> Callable[..., object]:
    def call(proxy: PortProxy, *args: object, **kwargs: object) -> object:
        return proxy._call(name, verb, args, kwargs)

    return call
