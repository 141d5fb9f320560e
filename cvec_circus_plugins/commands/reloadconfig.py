"""The command reloadconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.api import prop
from cvec_circus_plugins.commands._changes import changes_as_json, lines_of_changes
from cvec_circus_plugins.commands._wishes import WishCommand, WishRequest, all_done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cvec_circus_core.api import Supervisor


class ReloadConfigRequest(WishRequest):
    """What reloadconfig takes."""

    plan: bool = prop(False, "only tell what would be done")
    allow_empty: bool = prop(False, "remove watchers, too, where the file seems not to be whole")


class ReloadConfig(WishCommand):
    """Read the configuration again and apply what differs.

    New watchers are started, removed ones are stopped, and those whose options differ are
    changed with as little interruption as possible. What did not change is left alone, and so are
    watchers that were added at run time, options that were set at run time unless the file changed
    them, and watchers that somebody has stopped. A file with mistakes changes nothing.
    Nor does one that has no watcher any more, or has lost some and the end of its last line: a full
    disk, or half a save, leaves such a file. `allow_empty` says that it is meant.

    Request::

        {"command": "reloadconfig",
         "properties": {"waiting": true, "plan": false, "allow_empty": false}}

    The reply is ok and has the `plan`: what is done with each watcher, in this order, and why; what
    becomes of sockets; and the daemon's own options that differ, those that count at once and those
    that count at its next start. Actions are keep, add, remove, reload, restart, resize, set and
    start::

        {"status": "ok", "time": 1332265655.9,
         "plan": {"watchers": [{"name": "web", "action": "reload", "reason": "cmd differs"}],
                  "sockets": [],
                  "options": {"at_once": ["loglevel"], "at_next_start": []}}}

    With `plan` it is told and not done, and `changes` tells what was changed at run time and is in
    no file, as the command save does. Where the file has mistakes, the `reason` tells them all,
    and `problems` is a list of them.

    Command line::

        circusctl reloadconfig [--plan] [--allow-empty] [--waiting]
    """

    name = "reloadconfig"
    request = ReloadConfigRequest
    other_names: ClassVar[Mapping[str, str]] = {
        "update": "reloadconfig",
        "reread": "reloadconfig --plan",
        "daemon-reload": "reloadconfig",
    }

    async def execute(self, supervisor: Supervisor, request: ReloadConfigRequest) -> dict[str, Any]:
        """Apply it, and wait if asked to."""
        reading = await supervisor.read_config()
        if request.plan:
            preview = supervisor.plan_config(reading, allow_empty=request.allow_empty)
            return {"plan": preview.as_json(), "changes": changes_as_json(supervisor)}
        plan, ticket = supervisor.reload_config(reading, allow_empty=request.allow_empty)
        if request.waiting:
            await all_done(supervisor, [ticket])
        return {"plan": plan.as_json()}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line for whatever does not stay as it is."""
        lines = [*_lines(reply.get("plan", {})), *lines_of_changes(reply.get("changes", ()))]
        return "\n".join(lines) or "ok"


def _lines(plan: Mapping[str, Any]) -> Iterator[str]:
    for step in plan.get("watchers", ()):
        if step["action"] != "keep":
            yield f"{step['action']} {step['name']}: {step['reason']}"
    for step in plan.get("sockets", ()):
        yield f"{step['action']} socket {step['name']}"
    options = plan.get("options", {})
    if options.get("at_once"):
        yield f"circus: {', '.join(options['at_once'])}"
    if options.get("at_next_start"):
        yield f"circus, when it starts again: {', '.join(options['at_next_start'])}"
