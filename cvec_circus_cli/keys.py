"""The commands about keys: they change files of this machine, and reach no daemon.

They are declared like the commands of a daemon, so that words, usage and completion come from the
same lines.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.key_manuals import KEY_MANUALS
from cvec_circus_cli.local_command import run_locally
from cvec_circus_cli.output import json_text
from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import KnownKey

ROLES = ("operator", "viewer", "guest")
_OF_ROOT = "/etc/circus"
_LATER = "from the next circusctl reloadconfig on"


class KeygenLine(Request):
    """What keygen takes."""

    file: str | None = prop(None, "where to put it", positional=True)
    daemon: bool = prop(False, "a key for a daemon")


class AuthorizeLine(Request):
    """What authorize takes."""

    holder: str = prop(REQUIRED, "who it is", positional=True, metavar="NAME")
    key: str = prop(REQUIRED, "what their circusctl keygen has shown", positional=True)
    role: str = prop("viewer", "what they may", choices=ROLES)
    file: str | None = prop(None, "the list")


class RevokeLine(Request):
    """What revoke takes."""

    holder: str = prop(REQUIRED, "who it is", positional=True, metavar="NAME")
    file: str | None = prop(None, "the list")


class KeysLine(Request):
    """What keys takes."""

    file: str | None = prop(None, "the list")


class TrustLine(Request):
    """What trust takes."""

    host: str = prop(REQUIRED, "as endpoints have it", positional=True, metavar="HOST[:PORT]")
    key: str = prop(REQUIRED, "what circusctl keygen --daemon has shown there", positional=True)


def run_key_command(settings: Settings, name: str, words: Sequence[str]) -> int:
    """Do what the words say, and return the exit code."""
    return run_locally(settings, words, key_command(name), partial(_act, name), (api.BadKeys,))


def _act(name: str, settings: Settings, arguments: Mapping[str, Any]) -> int:
    if settings.is_json and name == "keys":
        reply: dict[str, Any] = {"keys": _keys_as_json(settings, arguments)}
    else:
        reply = {"message": _DOES[name](settings, arguments)}
    is_json = settings.is_json
    print(json_text(settings, {"status": "ok", **reply}) if is_json else reply["message"])
    return exit_codes.OK


def key_command(name: str) -> Command:
    """Return a command about keys, as far as its command line goes."""
    parts = {"name": name, "command_line": _TAKES[name], "__doc__": KEY_MANUALS[name]}
    command: type[Command] = type(name, (Command,), parts)
    return command()


def _keygen(settings: Settings, arguments: Mapping[str, Any]) -> str:
    daemon = arguments.get("daemon", False)
    folder = _daemons_folder(settings) if daemon else _folder(settings)
    file = arguments.get("file") or os.path.join(folder, "daemon.key" if daemon else "client.key")
    pair = api.kept_pair(file)
    if pair is None:
        pair = api.new_pair()
        api.keep_pair(file, pair)
        first = f"{file} is made; show it to nobody"
    else:
        first = f"{file} already exists, and stays"
    if daemon:
        use = f"the daemon uses it with curve_key = {os.path.abspath(file)} in [circus]"
        command = f"circusctl trust {os.uname().nodename} {pair.public}"
        return f"{first}; {use}.\nA user who calls it from elsewhere runs this there:\n  {command}"
    command = f"circusctl authorize {_me()} {pair.public}"
    return f"{first}.\nWhere the daemon is, this lets you in (see --role):\n  {command}"


def _authorize(settings: Settings, arguments: Mapping[str, Any]) -> str:
    role = api.read_role(arguments.get("role", "viewer"))
    new = api.KnownKey(api.read_name(arguments["holder"]), role, api.read_key(arguments["key"]))

    def change(keys: tuple[KnownKey, ...]) -> tuple[KnownKey, ...]:
        for holder in keys:
            if holder.name == new.name and holder.key != new.key:
                raise api.BadKeys(
                    f"{new.name} has another key already: circusctl revoke {new.name}, or take "
                    "another name"
                )
            if holder.key == new.key and holder.name != new.name:
                raise api.BadKeys(f"this is the key of {holder.name} already")
        return (*(holder for holder in keys if holder.name != new.name), new)

    api.change_known(_list(settings, arguments), change)
    return f"{new.name} is let in as {role.value} {_LATER}"


def _revoke(settings: Settings, arguments: Mapping[str, Any]) -> str:
    name = arguments["holder"]
    file = _list(settings, arguments)

    def change(keys: tuple[KnownKey, ...]) -> tuple[KnownKey, ...]:
        rest = tuple(holder for holder in keys if holder.name != name)
        if rest == keys:
            raise api.BadKeys(f"{file} lists nobody named {name!r}")
        return rest

    api.change_known(file, change)
    return f"{name} is let in no more {_LATER}"


def _keys(settings: Settings, arguments: Mapping[str, Any]) -> str:
    holders = api.known_keys(_list(settings, arguments)).values()
    lines = [f"{holder.name} {holder.role.value} {holder.key}" for holder in holders]
    return "\n".join(lines) or "nobody is let in by key"


def _keys_as_json(settings: Settings, arguments: Mapping[str, Any]) -> list[dict[str, str]]:
    holders = api.known_keys(_list(settings, arguments)).values()
    return [
        {"name": holder.name, "role": holder.role.value, "key": holder.key} for holder in holders
    ]


def _trust(settings: Settings, arguments: Mapping[str, Any]) -> str:
    place = arguments["host"].removeprefix("tcp://")
    if not place or "/" in place:
        raise api.BadKeys(f"a daemon is at HOST or HOST:PORT, not at {arguments['host']!r}")
    api.trust(_folder(settings), place, api.read_key(arguments["key"]))
    return f"the daemon at {place} is known by its key now"


def _folder(settings: Settings) -> str:
    return os.path.expanduser(settings.keys) if settings.keys else api.keys_folder()


def _daemons_folder(settings: Settings) -> str:
    folder = settings.keys or os.environ.get("CIRCUS_KEYS")
    return _OF_ROOT if os.geteuid() == 0 and not folder else _folder(settings)


def _list(settings: Settings, arguments: Mapping[str, Any]) -> str:
    return arguments.get("file") or os.path.join(_daemons_folder(settings), "authorized_keys")


def _me() -> str:
    try:
        return api.read_name(os.environ.get("USER") or "NAME")
    except api.BadKeys:
        return "NAME"


_TAKES: dict[str, type[Request]] = {
    "keygen": KeygenLine,
    "authorize": AuthorizeLine,
    "revoke": RevokeLine,
    "keys": KeysLine,
    "trust": TrustLine,
}
_DOES: dict[str, Callable[[Settings, Mapping[str, Any]], str]] = {
    "keygen": _keygen,
    "authorize": _authorize,
    "revoke": _revoke,
    "keys": _keys,
    "trust": _trust,
}
