"""The command status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, Table, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor, WatcherPort

_LAST_LINES = 5
_LAST_BYTES = 4096
COMPLETED = "completed"
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
    usage: bool = prop(False, "tell pids, age and memory, too; with long", hidden=True)


class Status(Command):
    """Show the state of a watcher, or of all.

    States are active, stopped, starting and stopping. A watcher that is stopped because its
    processes have come to a normal end (see `respawn` and `exit_codes`) is shown as completed; the
    reply has it as stopped, and names it under `completed`.

    Request::

        {"command": "status"}
        {"command": "status", "properties": {"name": "web"}}

    The reply has `statuses` by name. With a name, its `status` is the state, and other keys tell
    how many processes are running and wanted, how many were replaced because they had died, how the
    last one ended (minus the signal, where it was one) and the last one that nobody had asked to
    (`last_death`), why there are fewer than wanted, and in how many seconds that is tried again;
    how many processes the watcher is to have when it is up (`numprocesses`), how many are ready,
    and what those that have a notify socket say of themselves, by pid::

        {"status": "ok", "time": 1332265655.9, "statuses": {"db": "stopped", "web": "active"},
         "failed": [], "completed": []}
        {"status": "active", "time": 1332265655.9, "running": 3, "wanted": 3, "restarts": 1,
         "last_exit": -9, "last_death": -9, "reason": null, "retry_in": null, "completed": false,
         "numprocesses": 3, "ready": 3, "said": {}}

    `failed` names the watchers that something is wrong with: they have fewer processes than wanted,
    or none, for a `reason`. circusctl ends with 3 where there is one. With `long`, the keys of a
    watcher stand under `details`, by name; and with `usage`, too, `pids`, the `age` of the oldest
    process in seconds and the resident memory of all, `rss`, in bytes, and `threads` has the
    plugins that have no process of their own, as in plugins. On a terminal a watcher that
    is active but has fewer processes than wanted is degraded, one that waits for its next try
    retrying, one that starts with the first connection waiting, and one that has stopped for any
    other reason failed.

    Where something is wrong with the watcher that is named, `last_output` has its last lines, as
    the merged reply of `tail` has them.

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
    over_hosts = "at once"
    prompt = True
    nothing = "no watchers yet: circusctl add NAME CMD..."
    for_tables: ClassVar[Mapping[str, Any]] = {"long": True, "usage": True}

    async def execute(self, supervisor: Supervisor, request: StatusRequest) -> dict[str, Any]:
        """Look at them."""
        if request.name is not None:
            watcher = _single(supervisor, request.name)
            if watcher is not None:
                details = {"details": await _details(supervisor, [watcher], request)}
                details = details if request.long else {}
                health = {**_health(watcher), **_last_output(watcher)}
                return {"status": watcher.view().status.value, **health, **details}
        watchers = _several(supervisor, request.name)
        reply: dict[str, Any] = {
            "statuses": {watcher.name: watcher.view().status.value for watcher in watchers},
            "failed": [watcher.name for watcher in watchers if _is_amiss(_health(watcher))],
            "completed": [watcher.name for watcher in watchers if watcher.view().health.completed],
        }
        if request.long:
            reply["details"] = await _details(supervisor, watchers, request)
        if request.usage and request.name is None:
            reply["threads"] = _plugins_in_threads(supervisor)
        return reply

    def is_failure(self, reply: Mapping[str, Any]) -> bool:
        """Tell whether something is wrong with a watcher."""
        return bool(reply.get("failed")) or ("running" in reply and _is_amiss(reply))

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per watcher, or just the state."""
        if "details" in reply:
            return "\n".join(_long_line(name, reply["details"][name]) for name in _sorted(reply))
        if "statuses" in reply:
            ended = reply.get("completed", ())
            states = {**reply["statuses"], **dict.fromkeys(ended, COMPLETED)}
            return "\n".join(f"{name}: {states[name]}" for name in _sorted(reply))
        state = COMPLETED if reply.get("completed") else str(reply["status"])
        return "\n".join((state, *_output_lines(reply)))

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Show the name where it is not there anyway."""
        is_named = "details" in reply or "statuses" in reply
        return self.show(reply) if is_named else super().show_among(name, reply)

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per watcher."""
        if reply.get("details"):
            from cvec_circus_plugins.commands._status_table import status_table

            output = [(line,) for line in _output_lines(reply)]
            tables = (status_table(reply["details"], reply.get("threads", ())),)
            return (*tables, Table(("LAST OUTPUT",), output)) if output else tables
        if reply.get("statuses"):
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


def _is_amiss(health: Mapping[str, Any]) -> bool:
    reason = health.get("reason")
    is_failed = bool(reason) and reason != api.WAITS_FOR_CONNECTION
    return is_failed or health.get("retry_in") is not None


def _last_output(watcher: WatcherPort) -> dict[str, Any]:
    """Return the last lines of a watcher that is not well: they often say why."""
    if not _is_amiss(_health(watcher)):
        return {}
    try:
        lines = watcher.recent_lines(api.OutputQuery(lines=_LAST_LINES))[-_LAST_LINES:]
    except api.RequestError:
        return {}
    from cvec_circus_plugins.commands._output_entries import merged_entries

    return {"last_output": merged_entries(watcher.name, lines, _LAST_BYTES)} if lines else {}


def _output_lines(reply: Mapping[str, Any]) -> list[str]:
    if "last_output" not in reply:
        return []
    from cvec_circus_plugins.commands._output_entries import output_lines

    return output_lines(reply)


def _health(watcher: WatcherPort) -> dict[str, Any]:
    health = watcher.view().health
    return {
        "running": health.running,
        "wanted": health.wanted,
        "restarts": health.restarts,
        "last_exit": health.last_exit,
        "last_death": health.last_death,
        "reason": health.reason,
        "retry_in": health.retry_in,
        "completed": health.completed,
        "numprocesses": watcher.spec.numprocesses,
        **_readiness(watcher),
    }


def _readiness(watcher: WatcherPort) -> dict[str, Any]:
    processes = watcher.view().processes
    statuses = {str(process.pid): process.status for process in processes if process.status}
    return {
        "ready": sum(process.ready and not process.stopping for process in processes),
        "said": statuses,
    }


def _plugins_in_threads(supervisor: Supervisor) -> list[dict[str, Any]]:
    try:
        plugins = supervisor.plugins()
    except api.RequestError:
        return []  # the caller may not see them
    return [
        {"name": plugin.name, "state": plugin.state, "reason": plugin.reason}
        for plugin in plugins
        if plugin.host == "thread"
    ]


async def _details(
    supervisor: Supervisor, watchers: Sequence[WatcherPort], request: StatusRequest
) -> dict[str, Any]:
    details = {
        watcher.name: {"state": watcher.view().status.value, **_health(watcher)}
        for watcher in watchers
    }
    if request.usage:
        pids = {
            watcher.name: [process.pid for process in watcher.view().processes]
            for watcher in watchers
        }
        infos = await supervisor.process_info([pid for own in pids.values() for pid in own])
        for name, own in pids.items():
            details[name] |= _usage([infos.get(pid) for pid in own], own)
    return details


def _usage(infos: Sequence[object], pids: Sequence[int]) -> dict[str, Any]:
    # A process that ended meanwhile, or may not be looked at, is told as a text.
    readable = [info for info in infos if isinstance(info, dict)]
    return {
        "pids": list(pids),
        "age": max((info["age"] for info in readable if _is_number(info.get("age"))), default=None),
        "rss": sum(info["rss"] for info in readable if _is_number(info.get("rss"))) or None,
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sorted(reply: Mapping[str, Any]) -> list[str]:
    return sorted(reply["details"] if "details" in reply else reply["statuses"])


def _long_line(name: str, health: Mapping[str, Any]) -> str:
    running = health["running"]
    state = COMPLETED if health.get("completed") else health["state"]
    parts = [f"{state} {running}/{health['wanted']}", f"restarts {health['restarts']}"]
    if health["last_exit"] is not None:
        from cvec_circus_plugins.commands._exits import exit_text

        parts.append(f"last exit {exit_text(health['last_exit'])}")
    if health.get("ready", running) < running:
        parts.append(f"ready {health['ready']}")
    if health["reason"]:
        parts.append(health["reason"])
    parts.extend(f"{pid} says: {text}" for pid, text in health.get("said", {}).items())
    if health["retry_in"] is not None:
        parts.append(f"next try in {health['retry_in']:.1f} s")
    return f"{name}: " + ", ".join(parts)
