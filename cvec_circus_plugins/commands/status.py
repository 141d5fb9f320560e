"""The command status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cvec_circus_core.api import Supervisor, WatcherPort

WILD = "*?["


class StatusRequest(Request):
    """What status takes."""

    name: str | None = prop(
        None, "watcher, or a pattern such as 'web*'; all when not given", positional=True, each=True
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
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: StatusRequest) -> dict[str, Any]:
        """Look at them."""
        if request.name is not None:
            watcher = _single(supervisor, request.name)
            if watcher is not None:
                details = {"details": _details([watcher])} if request.long else {}
                return {"status": watcher.view().status.value, **_health(watcher), **details}
        watchers = _several(supervisor, request.name)
        reply: dict[str, Any] = {
            "statuses": {one.name: one.view().status.value for one in watchers}
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
    return sorted(supervisor.matching(pattern, "glob"), key=lambda one: api.name_key(one.name))


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
    said = {str(process.pid): process.status for process in processes if process.status}
    return {
        "ready": sum(process.ready and not process.stopping for process in processes),
        "said": said,
    }


def _details(watchers: Iterable[WatcherPort]) -> dict[str, Any]:
    return {
        watcher.name: {"state": watcher.view().status.value, **_health(watcher)}
        for watcher in watchers
    }


def _sorted(reply: Mapping[str, Any]) -> list[str]:
    return sorted(reply["details"] if "details" in reply else reply["statuses"])


def _long_line(name: str, said: Mapping[str, Any]) -> str:
    parts = [f"{said['state']} {said['running']}/{said['wanted']}", f"restarts {said['restarts']}"]
    if said["last_exit"] is not None:
        parts.append(f"last exit {said['last_exit']}")
    if said.get("ready", said["running"]) < said["running"]:
        parts.append(f"ready {said['ready']}")
    if said["reason"]:
        parts.append(said["reason"])
    parts.extend(f"{pid} says: {text}" for pid, text in said.get("said", {}).items())
    if said["retry_in"] is not None:
        parts.append(f"next try in {said['retry_in']:.1f} s")
    return f"{name}: " + ", ".join(parts)
