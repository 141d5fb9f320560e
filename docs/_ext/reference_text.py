"""The reference as reStructuredText, from the declarations in the code.

Nothing of it is written twice: a new option, command or event shows up by itself.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

from msgspec.structs import FieldInfo, fields
from option_groups import grouped

from cvec_circus_core.config.unimplemented import NOT_YET
from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.hookspecs import KernelHooks
from cvec_circus_core.extend.registry import PLUGINS
from cvec_circus_core.extend.request import Prop, Request, properties
from cvec_circus_core.extend.sink import STREAMS
from cvec_circus_core.model import events
from cvec_circus_core.model.errors import CallError, CircusError, Errno
from cvec_circus_core.model.kinds import Kind
from cvec_circus_core.model.options import (
    Family,
    Needs,
    Option,
    declared_families,
    declared_options,
)
from cvec_circus_core.model.signal_names import signal_name
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from tests.rooms import CORE, PURPOSES, ROOMS

KEYS = {"wid": "process_id", "pid": "process_pid"}
"""How the fields of an event are spelled in its body, where that differs."""
NO_EFFECT_YET = "It is read and checked, and has no effect in this version."
SPECS = {"watcher": WatcherSpec, "daemon": ArbiterSpec, "socket": SocketSpec}


def options_of(whose: str) -> Iterator[str]:
    """Yield the entry of every option of watchers, of the daemon or of sockets, by purpose.

    A list of all, for those who know the name, comes first.
    """
    spec = SPECS[whose]
    entries: dict[str, tuple[str, str, Iterable[str]]] = {}
    for option in declared_options(spec).values():
        target = f"{whose}-{option.name}"
        entries[option.name] = (target, f"``{option.name}``", _about_option(option, whose))
    for many in declared_families(spec).values():
        entries[many.name] = (
            f"{whose}-{many.name}",
            f"``{many.prefix}NAME``",
            _about_family(many),
        )
    groups = list(grouped(whose, list(entries)))
    yield from (".. list-table::", "   :widths: 30 70", "")
    for title, names in groups:
        links = (f":ref:`{entries[name][1]} <{entries[name][0]}>`" for name in names)
        yield from (f"   * - {title}", f"     - {', '.join(links).replace('``', '')}")
    yield ""
    for title, names in groups:
        yield from (title, "-" * len(title), "")
        for name in names:
            target, term, about = entries[name]
            yield from _entry(f".. _{target}:", term, about)


def _about_option(one: Option, whose: str) -> Iterator[str]:
    yield _sentence(one.help)
    yield ""
    if one.inert:
        yield "It has no effect."
        return
    yield f"Takes {_escaped(one.kind.allowed)}; {_default(one)}."
    if one.name in NOT_YET:
        yield NO_EFFECT_YET
        return
    if one.aliases:
        yield f"Also spelled {_listed(f'``{alias}``' for alias in one.aliases)}."
    if whose == "watcher":
        yield from _consequence(one.changing)


def _about_family(many: Family) -> Iterator[str]:
    yield _sentence(many.help)
    yield ""
    yield f"Takes {_escaped(many.kind.allowed)}."
    if many.name in NOT_YET:
        yield NO_EFFECT_YET
        return
    if many.names:
        yield f"NAME is one of {_listed(f'``{name}``' for name in sorted(many.names))}."
    yield from _consequence(many.changing)


def _consequence(changing: Needs) -> Iterator[str]:
    match changing:
        case Needs.NOTHING:
            return
        case Needs.NEW_WATCHER:
            yield "It can only be given when the watcher is made."
        case _:
            yield f"Set on a running watcher: {changing.value}."


def _default(one: Option) -> str:
    if one.default is None or one.default in ((), {}, ""):
        return "not set by default"
    return f"by default ``{_as_written(one.kind, one.default)}``"


def _as_written(kind: Kind, value: Any) -> str:
    if kind.name == "signal":
        return signal_name(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(shown := kind.show(value), list):
        return ", ".join(map(str, shown))
    return str(shown).replace("\n", "\\n")


def commands() -> Iterator[str]:
    """Yield the section of every installed command of ours, sorted by name."""
    found = {
        one.name: one.load()
        for one in entry_points(group="cvec_circus.commands")
        if one.value.startswith("cvec_circus_plugins.")
    }
    for name, command in sorted(found.items()):
        yield from _command(name, command)


def streams() -> Iterator[str]:
    """Yield the section of every stream class of ours, sorted by name."""
    for one in sorted(entry_points(group=STREAMS), key=lambda one: one.name):
        if not one.value.startswith("cvec_circus_plugins."):
            continue
        yield from (f".. _stream-{one.name}:", "", one.name, "~" * len(one.name), "")
        yield from (inspect.getdoc(one.load()) or "").splitlines()
        yield ""
        for option in declared_options(one.load()).values():
            about = f"Takes {_escaped(option.kind.allowed)}; {_default(option)}."
            yield from _entry("", f"``{option.name}``", [_sentence(option.help), "", about])


def plugins() -> Iterator[str]:
    """Yield the section of every plugin of ours, sorted by name."""
    for one in sorted(entry_points(group=PLUGINS), key=lambda one: one.name):
        if not one.value.startswith("cvec_circus_plugins."):
            continue
        found = one.load()
        yield from (f".. _plugin-{one.name}:", "", one.name, "~" * len(one.name), "")
        yield from (inspect.getdoc(found) or "").splitlines()
        yield ""
        for option in declared_options(found.settings_type).values():
            about = f"Takes {_escaped(option.kind.allowed)}; {_default(option)}."
            also = _listed(f"``{alias}``" for alias in option.aliases) if option.aliases else ""
            spelled = f" Also spelled {also}." if also else ""
            hidden = " It is shown nowhere." if option.secret else ""
            told = about + spelled + hidden
            yield from _entry("", f"``{option.name}``", [_sentence(option.help), "", told])


def kernel_hooks() -> Iterator[str]:
    """Yield the section of every kernel hook, with its example of docs/examples/kernel_hooks.py."""
    for name, hook in vars(KernelHooks).items():
        if not name.startswith("circus_"):
            continue
        yield from (f".. _hook-{name}:", "", name, "~" * len(name), "")
        yield from (inspect.getdoc(hook) or "").splitlines()
        yield ""
        yield from (".. literalinclude:: /examples/kernel_hooks.py", "   :language: python")
        yield from (f"   :pyobject: Example.{name}", "   :dedent:", "")


def _command(name: str, command: type[Command]) -> Iterator[str]:
    yield from (f".. _command-{name}:", "", name, "~" * len(name), "")
    yield from (inspect.getdoc(command) or "").splitlines()
    yield ""
    asked = command.command_line or command.request
    for prop in _shown(asked):
        yield from _entry("", f"``{_spelled(prop)}``", [_sentence(prop.help), *_choices(prop)])


def _shown(asked: type[Request]) -> Iterable[Prop]:
    shown = [prop for prop in properties(asked) if not prop.hidden]
    return sorted(shown, key=lambda prop: prop.positional)


def _spelled(prop: Prop) -> str:
    metavar = prop.metavar or prop.name.upper()
    if prop.positional:
        return metavar
    switch = f"--{prop.name.replace('_', '-')}"
    return switch if isinstance(prop.default, bool) else f"{switch} {metavar}"


def _choices(prop: Prop) -> Iterator[str]:
    if prop.choices:
        yield f"One of {_listed(f'``{choice}``' for choice in prop.choices)}."


def event_rows() -> Iterator[str]:
    """Yield the table of events: topic, body and meaning."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 15 45 40", "")
    yield from _row("event", "keys beside the common ones", "when")
    for event in _leaves(events.Event):
        if event.topic:
            keys = [f"``{KEYS.get(one.name, one.name)}``" for one in _own_fields(event)]
            yield from _row(f"``{event.topic}``", ", ".join(keys), _first_line(event))
    yield ""


def _own_fields(event: type[events.Event]) -> Iterator[FieldInfo]:
    return (one for one in fields(event) if one.name != "watcher")


def errno_rows() -> Iterator[str]:
    """Yield the table of error numbers, with the errors of ours that carry each."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 10 25 65", "")
    yield from _row("errno", "name", "errors")
    on_the_wire = [one for one in _leaves(CircusError) if not issubclass(one, CallError)]
    kinds = [one for one in on_the_wire if not one.__subclasses__()]
    for number in Errno:
        means = [_first_line(one).rstrip(".") for one in kinds if one.errno is number]
        yield from _row(f"{number.value}", number.name.lower().replace("_", " "), "; ".join(means))
    yield ""


def _leaves(of: type[Any]) -> Iterator[type[Any]]:
    for one in of.__subclasses__():
        # A dataclass with slots is made twice, and the first one may still be about.
        if getattr(sys.modules[one.__module__], one.__name__) is one and one.__name__[0] != "_":
            yield one
        yield from _leaves(one)


def room_rows() -> Iterator[str]:
    """Yield the table of rooms, as the test of the architecture holds it."""
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 18 42 25 15", "")
    yield from _row("room", "what lives there", "may import", "third party")
    for name, room in ROOMS.items():
        short = f"``{name.removeprefix(f'{CORE}.')}``"
        ours = ", ".join(
            "all of the kernel" if prefix == CORE else f"``{prefix.removeprefix(f'{CORE}.')}``"
            for prefix in room.ours
            if prefix != name
        )
        third_party = ", ".join(room.third_party)
        yield from _row(short, PURPOSES[name], ours or "nothing of ours", third_party)


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f"   {'* -' if number == 0 else '  -'} {cell or 'none'}"


def _entry(target: str, term: str, about: Iterable[str]) -> Iterator[str]:
    yield from (target, "", term) if target else (term,)
    yield from (f"   {line}" for line in about)
    yield ""


def _first_line(of: type[Any]) -> str:
    return (inspect.getdoc(of) or "").partition("\n")[0]


def _sentence(text: str) -> str:
    return f"{_escaped(text[:1].upper() + text[1:]).rstrip('.')}."


def _escaped(text: str) -> str:
    return text.replace("*", r"\*").replace("|", r"\|")


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
