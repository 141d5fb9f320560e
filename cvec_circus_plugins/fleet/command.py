"""The command fleet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor, Table
    from cvec_circus_plugins.fleet.settings import FleetSettings
    from cvec_circus_plugins.fleet.store import Store

APPLY, PLAN, HISTORY, ROLLBACK = "apply", "plan", "history", "rollback"
HOSTS, DRAIN, UNDRAIN, STATUS = "hosts", "drain", "undrain", "status"
_ACTS = (APPLY, PLAN, HISTORY, ROLLBACK, HOSTS, DRAIN, UNDRAIN, STATUS)
_LONGEST_TEXT = 1_000_000


class FleetRequest(Request):
    """What fleet takes."""

    act: str = prop(REQUIRED, "what to do", choices=_ACTS)
    text: str | None = prop(None, "configuration to apply")
    file: str = prop("the text", "name of its file, for messages")
    host: str | None = prop(None, "host that is drained")
    number: int | None = prop(None, "revision to go back to")


class FleetLine(Request):
    """What fleet takes on the command line."""

    act: str = prop(REQUIRED, "what to do", positional=True, choices=_ACTS)
    subject: str | None = prop(
        None, "file to apply, host to drain, or revision to go back to", positional=True
    )


class Fleet(Command):
    """Apply a configuration to a fleet of hosts, and show what runs where.

    The daemon has to be in a fleet: its configuration has a section ``[fleet]``. `apply`
    takes a configuration file of watchers, with ``fleet``, ``where``, ``anti_affinity`` and
    ``max_per_host`` besides; `plan` only shows what that would change. Each one applied is a
    revision: `history` lists them, `rollback` applies the one before, or that of a number, again.
    `drain` takes everything from a host, and `undrain` lets it run again. Only those may use this
    command who may do everything.

    Request::

        {"command": "fleet", "properties": {"act": "apply", "text": "[watcher:web]…"}}

    The replies to apply, hosts and status::

        {"status": "ok", "time": 1332265655.9, "number": 3,
         "plan": {"hosts": {"a": {"web": {"from": 0, "to": 2}}}, "unplaced": {}}}
        {"status": "ok", "time": 1332265655.9, "host": "a",
         "hosts": {"a": {"alive": true, "drained": false, "leader": true, "labels": {"zone": "a"},
                         "address": "", "version": "1.0", "processes": 2}}}
        {"status": "ok", "time": 1332265655.9, "number": 3, "leader": "a",
         "watchers": {"web": {"fleet": "spread", "wanted": 2, "ready": 2,
                              "hosts": {"a": {"wanted": 2, "ready": 2, "status": "active"}}}}}

    Command line::

        circusctl fleet apply FILE
        circusctl fleet plan FILE
        circusctl fleet history
        circusctl fleet rollback [NUMBER]
        circusctl fleet hosts
        circusctl fleet drain HOST
        circusctl fleet undrain HOST
        circusctl fleet status
    """

    name = "fleet"
    request = FleetRequest
    command_line = FleetLine
    for_operators = True

    async def execute(self, supervisor: Supervisor, request: FleetRequest) -> dict[str, Any]:
        """Do it in the store of the fleet."""
        settings = await asyncio.to_thread(_settings, supervisor)
        from cvec_circus_plugins.fleet.settings import open_store

        store = await asyncio.to_thread(open_store, settings)
        try:
            reply = await _execute(store, settings.prefix, request)
        finally:
            await store.close()
        return {**reply, "host": settings.host} if request.act == HOSTS else reply

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Read the file that is to be applied."""
        act, subject = arguments["act"], arguments.get("subject")
        properties: dict[str, Any] = {"act": act}
        if act in (APPLY, PLAN):
            if subject is None:
                raise ValueError(f"give the file: circusctl fleet {act} FILE")
            properties |= {"text": _read(subject), "file": subject}
        elif act in (DRAIN, UNDRAIN):
            if subject is None:
                raise ValueError(f"give the host: circusctl fleet {act} HOST")
            properties["host"] = subject
        elif subject is not None:
            if act != ROLLBACK or not subject.isascii() or not subject.isdigit():
                raise ValueError(f"fleet {act} takes no {subject!r}")
            properties["number"] = int(subject)
        return properties

    def is_failure(self, reply: Mapping[str, Any]) -> bool:
        """Say so where something of the fleet does not run."""
        return any(
            watcher["ready"] < watcher["wanted"] for watcher in reply.get("watchers", {}).values()
        )

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show lines for scripts."""
        from cvec_circus_plugins.fleet.show import lines

        return "\n".join(lines(reply)) or "ok"

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a table."""
        from cvec_circus_plugins.fleet.show import tables

        return tables(reply)


async def _execute(store: Store, prefix: str, request: FleetRequest) -> dict[str, Any]:
    from cvec_circus_plugins.fleet import operations

    match request.act:
        case "apply" | "plan":
            if request.text is None:
                raise api.BadMessage("'text' is missing")
            if len(request.text) > _LONGEST_TEXT:
                raise api.BadMessage(f"'text' is longer than {_LONGEST_TEXT} characters")
            only_plan = request.act == PLAN
            return await operations.apply(
                store, prefix, request.text, request.file, only_plan=only_plan
            )
        case "rollback":
            return await operations.roll_back(store, prefix, request.number)
        case "history":
            return await operations.history(store, prefix)
        case "hosts":
            return await operations.hosts(store, prefix)
        case "drain" | "undrain":
            if request.host is None:
                raise api.BadMessage("'host' is missing")
            is_drained = request.act == DRAIN
            return await operations.drain(store, prefix, request.host, is_drained=is_drained)
        case "status":
            return await operations.status(store, prefix)
        case _:
            raise api.BadMessage(f"'act' must be one of {', '.join(_ACTS)}")


def _settings(supervisor: Supervisor) -> FleetSettings:
    """Return what the agent of this daemon was started with. Raises `BadMessage`."""
    from cvec_circus_plugins.fleet.settings import FleetSettings

    for watcher in supervisor.watchers():
        order = api.plugin_order(watcher.spec)
        if order is not None and order[0] in ("fleet", f"{__package__}.agent.FleetAgent"):
            return api.read_settings(FleetSettings, order[1], "fleet")
    raise api.BadMessage("this daemon is in no fleet: its configuration has no section [fleet]")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_LONGEST_TEXT + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ValueError(f"{path} can not be read: {reason}") from None
