"""The command status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, Table, prop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvec_circus_core.api import Supervisor, WatcherPort

WILD = "*?["


class StatusRequest(Request):
    """What status takes."""

    name: str | None = prop(
        None,
        "watcher, or a pattern such as 'web*'; all when not given",
        positional=True,
        each=True,
        names="watcher",
    )
    long: bool = prop(False, "tell more than the state")


class Status(Command):
    """Tell the state of a watcher, or of all.

    States are active, stopped, starting and stopping.

    Request::

        {"command": "status"}
        {"command": "status", "properties": {"name": "web"}}

    The reply has `statuses` by name. With a name, its `status` is the state, and other keys tell
    how many processes are running and wanted, how many were replaced because they had died, how the
    last one ended (minus the signal, where it was one), why there are fewer than wanted, and in how
    many seconds that is tried again; how many processes are ready, and what those that have a
    notify socket say of themselves, by pid::

        {"status": "ok", "time": 1332265655.9, "statuses": {"db": "stopped", "web": "active"}}
        {"status": "active", "time": 1332265655.9, "running": 3, "wanted": 3, "restarts": 1,
         "last_exit": -9, "reason": null, "retry_in": null, "ready": 3, "said": {}}

    With `long`, these keys stand under `details`, by name.

    Command line::

        circusctl status [NAME...] [--long]
    """

    name = "status"
    request = StatusRequest
    other_names: ClassVar[Mapping[str, str]] = {
        "ps": "status",
        "st": "status",
        "is-active": "status NAME",
    }
    acts = False
    prompt = True
    for_tables: ClassVar[Mapping[str, Any]] = {"long": True}

    async def execute(self, supervisor: Supervisor, request: StatusRequest) -> dict[str, Any]:
        """Look at them."""
        if request.name is not None:
            watcher = _single(supervisor, request.name)
            if watcher is not None:
                details = {"details": _details([watcher])} if request.long else {}
                return {"status": watcher.view().status.value, **_health(watcher), **details}
        watchers = _several(supervisor, request.name)
        reply: dict[str, Any] = {
            "statuses": {watcher.name: watcher.view().status.value for watcher in watchers}
        }
        if request.long:
            reply["details"] = _details(watchers)
        return reply

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per watcher, or just the state."""
        if "details" in reply:
            return "\n".join(_long_line(name, reply["details"][name]) for name in _sorted(reply))
        if "statuses" in reply:
            return "\n".join(f"{name}: {reply['statuses'][name]}" for name in _sorted(reply))
        return str(reply["status"])

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Show the name where it is not there anyway."""
        is_named = "details" in reply or "statuses" in reply
        return self.show(reply) if is_named else super().show_among(name, reply)

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per watcher."""
        from cvec_circus_plugins.commands._tables import cell

        if "details" in reply:
            titles = ("NAME", "STATE", "RUNNING", "RESTARTS", "LAST EXIT", "REASON")
            rows: list[Sequence[str]] = [
                (
                    name,
                    health["state"],
                    f"{health['running']}/{health['wanted']}",
                    str(health["restarts"]),
                    cell(health["last_exit"]),
                    _reason(health),
                )
                for name, health in sorted(reply["details"].items())
            ]
            return (Table(titles, rows),)
        if "statuses" in reply:
            return (Table(("NAME", "STATE"), sorted(reply["statuses"].items())),)
        return ()

    def joined(self, replies: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Put all watchers into one table."""
        if any("details" not in reply for reply in replies.values()):
            return None
        return {
            "details": {
                name: health
                for reply in replies.values()
                for name, health in reply["details"].items()
            }
        }


def _single(supervisor: Supervisor, name: str) -> WatcherPort | None:
    try:
        return supervisor.watcher(name)
    except api.UnknownWatcher:
        if any(mark in name for mark in WILD):
            return None
        raise


def _several(supervisor: Supervisor, pattern: str | None) -> list[WatcherPort]:
    if pattern is None:
        return list(supervisor.watchers())
    return sorted(
        supervisor.matching(pattern, "glob"), key=lambda watcher: api.name_key(watcher.name)
    )


def _health(watcher: WatcherPort) -> dict[str, Any]:
    health = watcher.view().health
    return {
        "running": health.running,
        "wanted": health.wanted,
        "restarts": health.restarts,
        "last_exit": health.last_exit,
        "reason": health.reason,
        "retry_in": health.retry_in,
        **_readiness(watcher),
    }


def _readiness(watcher: WatcherPort) -> dict[str, Any]:
    processes = watcher.view().processes
    statuses = {str(process.pid): process.status for process in processes if process.status}
    return {
        "ready": sum(process.ready and not process.stopping for process in processes),
        "said": statuses,
    }


def _details(watchers: Iterable[WatcherPort]) -> dict[str, Any]:
    return {
        watcher.name: {"state": watcher.view().status.value, **_health(watcher)}
        for watcher in watchers
    }


def _sorted(reply: Mapping[str, Any]) -> list[str]:
    return sorted(reply["details"] if "details" in reply else reply["statuses"])


def _reason(health: Mapping[str, Any]) -> str:
    pause = health["retry_in"]
    again = "" if pause is None else f"next try in {pause:.1f} s"
    return "; ".join(part for part in (health["reason"], again) if part)


def _long_line(name: str, health: Mapping[str, Any]) -> str:
    running = health["running"]
    parts = [f"{health['state']} {running}/{health['wanted']}", f"restarts {health['restarts']}"]
    if health["last_exit"] is not None:
        parts.append(f"last exit {health['last_exit']}")
    if health.get("ready", running) < running:
        parts.append(f"ready {health['ready']}")
    if health["reason"]:
        parts.append(health["reason"])
    parts.extend(f"{pid} says: {text}" for pid, text in health.get("said", {}).items())
    if health["retry_in"] is not None:
        parts.append(f"next try in {health['retry_in']:.1f} s")
    return f"{name}: " + ", ".join(parts)
