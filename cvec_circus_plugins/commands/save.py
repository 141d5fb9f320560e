"""The command save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import BadMessage, Command, Request, prop
from cvec_circus_plugins.commands._changes import changes_as_json, lines_of_changes, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import RuntimeChange, Supervisor


class SaveRequest(Request):
    """What save takes."""

    plan: bool = prop(False, "only tell what would be written")


class Save(Command):
    """Keep what was changed at run time: the next start finds it in a file of its own.

    Options that were set, watchers that were added, numbers of processes, and watchers that were
    stopped or started, are written beside the configuration file: for app.ini into app.saved.ini,
    which is read with it, and counts more. What was written there before stays. Delete the file, or
    lines of it, to have the configuration file alone count again. A watcher that was removed comes
    back with the next start unless it is taken out of its file.

    Request::

        {"command": "save", "properties": {"plan": false}}

    The reply has the `changes`: for each watcher the options that differ from the files, and their
    values; and the `file` that was written, null where there was nothing to be kept::

        {"status": "ok", "time": 1332265655.9, "file": "/etc/app.saved.ini",
         "changes": [{"name": "web", "new": false, "options": {"numprocesses": 5}}]}

    With `plan` it is told and not done.

    Command line::

        circusctl save [--plan]
    """

    name = "save"
    request = SaveRequest

    async def execute(self, supervisor: Supervisor, request: SaveRequest) -> dict[str, Any]:
        """Tell what has changed, and write it."""
        changes = supervisor.runtime_changes()
        file = None
        if changes and not request.plan:
            file = await supervisor.save_config(sections_of(changes))
        return {"changes": changes_as_json(supervisor), "file": file}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line for each option, and where it is now."""
        lines = list(lines_of_changes(reply.get("changes", ())))
        if reply.get("file"):
            lines.append(f"written to {reply['file']}")
        return "\n".join(lines) or "nothing differs from the configuration"


def sections_of(changes: Sequence[RuntimeChange]) -> dict[str, dict[str, str]]:
    """Return changes as sections of a configuration file. Raises `BadMessage`."""
    sections: dict[str, dict[str, str]] = {}
    for change in changes:
        values = sections.setdefault(f"watcher:{change.watcher}", {})
        for key, value in change.options.items():
            if key == "env" and isinstance(value, dict):
                env = sections.setdefault(f"env:{change.watcher}", {})
                env.update({name: text_of(text) for name, text in value.items()})
            elif value is None:
                raise BadMessage(
                    f"option {key} of watcher {change.watcher} was unset, which a file beside the "
                    "configuration can not say: take it out there"
                )
            else:
                values[key] = text_of(value)
    return {name: values for name, values in sections.items() if values}
