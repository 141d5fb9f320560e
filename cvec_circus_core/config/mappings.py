"""Options as commands and library callers give them: JSON or Python values instead of texts.

All or nothing: every value is read and the whole is checked before a spec comes out, so a refused
``set`` has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from cvec_circus_core.config.build import with_stats
from cvec_circus_core.config.checks import arbiter_faults, socket_faults, watcher_faults
from cvec_circus_core.config.draft import Draft
from cvec_circus_core.config.plugin_sections import (
    OF_THE_HOST,
    finish_plugin_watcher,
    plugin_watcher,
)
from cvec_circus_core.model.errors import BadMessage, UnknownOption
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.option_reader import (
    Free,
    Member,
    Place,
    Plain,
    UnknownMember,
    Whole,
    check,
    locate,
    parse,
)
from cvec_circus_core.model.options import Family, declared_families, declared_options
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS, PluginSpec, SocketSpec
from cvec_circus_core.model.spec_reader import SpecReader
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.text import quoted
from cvec_circus_core.model.values import field_names, replace

_SHOWN_AS = {"stdout_stream": "stdout_stream_conf", "stderr_stream": "stderr_stream_conf"}


def watcher_from_mapping(
    name: str,
    options: Mapping[str, Any],
    *,
    strict: bool = False,
    sockets: Collection[str] | None = None,
) -> WatcherSpec:
    """Make the spec of a new watcher; ``cmd`` is one of the options.

    With ``strict``, a name without a dot that nobody declared is refused; else it is kept as a
    free-form option. ``sockets`` are the names of the managed sockets, where they are known.
    Raises `BadMessage`.
    """
    _require_name(name)
    # None says "as if not given", which is how signatures in Python spell a default.
    present = {
        key: value for key, value in options.items() if value is not None or _keeps_null(key)
    }
    return _drafted(Draft(WatcherSpec(name=name.strip())), present, strict, sockets)


def changed_spec(
    spec: WatcherSpec,
    options: Mapping[str, Any],
    *,
    strict: bool = True,
    sockets: Collection[str] | None = None,
) -> WatcherSpec:
    """Return a watcher's spec with some options set. Raises `BadMessage`."""
    for key, value in options.items():
        place = locate(WatcherSpec, key) if isinstance(key, str) else None
        stream = place.family.name if isinstance(place, Whole) else ""
        if value == {} and stream in _SHOWN_AS and getattr(spec, stream):
            raise BadMessage(f"'{key}' says neither class nor filename; null takes it away")
        if isinstance(place, Plain) and not place.option.settable:
            raise BadMessage(f"'{key}' {place.option.changing.value}")
    changed = _drafted(Draft(spec), options, strict, sockets)
    if PLUGIN_SETTINGS in spec.env and PLUGIN_SETTINGS not in changed.env:
        kept = {PLUGIN_SETTINGS: spec.env[PLUGIN_SETTINGS]}
        return replace(changed, env={**changed.env, **kept})
    return changed


def spec_reader(sockets: Callable[[], Collection[str]]) -> SpecReader:
    """Return what reads options where a daemon runs; ``sockets`` names those that there are."""
    return SpecReader(
        lambda name, options: watcher_from_mapping(name, options, sockets=sockets()),
        lambda spec, options: changed_spec(spec, options, sockets=sockets()),
        spec_as_json,
        socket_from_mapping,
    )


def texts_read(of: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with texts read as a file's, where a text is not what the option takes.

    Programs pass on what they have from the environment: ``numprocesses="2"``. What can not be read
    is left for those who check it.
    """
    return {key: _text_read(locate(of, key), value) for key, value in options.items()}


def _text_read(place: Place, value: object) -> object:
    if isinstance(place, Whole) and isinstance(value, Mapping):
        return {
            member: _text_read(Member(place.family, member.lower()), item)
            for member, item in value.items()
        }
    if not isinstance(value, str) or isinstance(place, Free | Whole):
        return value
    for read in (check, parse):
        try:
            return read(place, value)
        except Fault:
            continue
    return value


def spec_as_json(spec: WatcherSpec) -> dict[str, Any]:
    """Return all options of a watcher as JSON values: what ``options`` and ``get`` show."""
    spec = _without_settings(spec)
    values = {
        name: option.kind.show(getattr(spec, name))
        for name, option in declared_options(WatcherSpec).items()
    }
    for name, family in declared_families(WatcherSpec).items():
        members = _shown_family(spec, family)
        if name in _SHOWN_AS:
            values[_SHOWN_AS[name]] = members
        else:
            values.update({f"{family.prefix}{key}": value for key, value in members.items()})
    return {**{key: _as_json(value) for key, value in spec.extra.items()}, **values}


def shown_option(spec: WatcherSpec, key: str) -> object:
    """Return one option as a JSON value, by any of its names. Raises `UnknownOption`."""
    spec = _without_settings(spec)
    match locate(WatcherSpec, key):
        case Plain(option):
            return option.kind.show(getattr(spec, option.name))
        case Whole(family):
            return _shown_family(spec, family)
        case Member(family, member) if member in getattr(spec, family.name):
            return _shown_family(spec, family)[member]
        case Free(free) if free in spec.extra:
            return _as_json(spec.extra[free])
        case _:
            raise UnknownOption(key)


def arbiter_from_mapping(options: Mapping[str, Any]) -> ArbiterSpec:
    """Make the daemon's spec from Python values. Raises `BadMessage`."""
    spec = ArbiterSpec(**with_stats(_plain(ArbiterSpec, options)))
    _require_none(arbiter_faults({name: getattr(spec, name) for name in field_names(spec)}))
    return spec


def socket_from_mapping(name: str, options: Mapping[str, Any]) -> SocketSpec:
    """Make the spec of a managed socket from Python values. Raises `BadMessage`."""
    _require_name(name)
    values = _plain(SocketSpec, options)
    _require_none(socket_faults(values))
    return SocketSpec(name=name_key(name), **values)


def plugin_from_mapping(name: str, options: Mapping[str, Any]) -> PluginSpec:
    """Make the spec of a plugin from Python values; ``use`` is one of them. Raises `BadMessage`."""
    draft = Draft(plugin_watcher(name))
    own: dict[str, Any] = {}
    class_options: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(place := locate(PluginSpec, key), Plain):
            own[place.option.name] = _checked(key, place, value)
        elif not isinstance(place := locate(WatcherSpec, key), Free):
            draft.put(place, _checked(key, place, value))
        if key not in OF_THE_HOST and not isinstance(locate(WatcherSpec, key), Member | Whole):
            class_options[key] = value
    if not own.get("use"):
        raise BadMessage("'use' is missing")
    finish_plugin_watcher(draft)
    _require_none(watcher_faults(draft, None, needs_cmd=False))
    return PluginSpec(name=name, **own, options=class_options, watcher=draft.spec())


def _drafted(
    draft: Draft, options: Mapping[str, Any], strict: bool, sockets: Collection[str] | None
) -> WatcherSpec:
    for key, value in options.items():
        place = locate(WatcherSpec, key) if isinstance(key, str) else Free(str(key))
        if isinstance(place, Free) and strict and not _may_be_free(place.key, draft):
            raise BadMessage(f"unknown key '{key}'")
        draft.put(place, _checked(key, place, value))
    _require_none(watcher_faults(draft, sockets))
    return draft.spec()


def _shown_family(spec: WatcherSpec, family: Family) -> dict[str, Any]:
    members = getattr(spec, family.name).items()
    return {member: _as_json(family.kind.show(value)) for member, value in members}


def _without_settings(spec: WatcherSpec) -> WatcherSpec:
    if PLUGIN_SETTINGS not in spec.env:
        return spec
    env = {key: value for key, value in spec.env.items() if key != PLUGIN_SETTINGS}
    return replace(spec, env=env)


def _keeps_null(key: object) -> bool:
    place = locate(WatcherSpec, key) if isinstance(key, str) else None
    return isinstance(place, Member) and place.family.keeps_null


def _may_be_free(key: str, draft: Draft) -> bool:
    head, dot, tail = key.partition(".")
    return bool(dot and head and tail) or key in draft["extra"]


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name_key(name):
        raise BadMessage("'name' is missing")
    if not name.strip().isprintable():
        raise BadMessage(f"'name' has characters that can not be shown: {quoted(name)}")


def _plain(of: type, options: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for key, value in options.items():
        place = locate(of, key)
        if not isinstance(place, Plain):
            raise BadMessage(f"unknown key '{key}'")
        if value is not None:
            values[place.option.name] = _checked(key, place, value)
    return values


def _checked(key: str, place: Place, value: object) -> object:
    try:
        return check(place, value)
    except Fault as refused:
        # What was written is shown, unless the fault lies inside an object.
        written_key = refused.key if isinstance(place, Whole) else key
        if isinstance(refused, UnknownMember):
            raise BadMessage(f"unknown key '{written_key}'") from None
        raise BadMessage(f"'{written_key}' {refused.sentence}") from None


def _require_none(faults: Iterable[Fault]) -> None:
    sentences = [f"'{fault.key}' {fault.sentence}" for fault in faults]
    if sentences:
        raise BadMessage("; ".join(sentences))


def _as_json(value: object) -> object:
    """Return a value that JSON can tell: a callable becomes its name."""
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    return value
