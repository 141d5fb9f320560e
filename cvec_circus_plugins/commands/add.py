"""The command add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, prop
from cvec_circus_plugins.commands._wishes import WishCommand, WishRequest, all_done

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvec_circus_core.api import Prop, Questions, Supervisor


class AddRequest(WishRequest):
    """What add takes."""

    name: str = prop(REQUIRED, "name of the new watcher")
    cmd: str = prop(REQUIRED, "its command line")
    args: str | list[str] | None = prop(None, "more arguments of the command")
    options: dict[str, Any] | None = prop(None, "options of the watcher")
    start: bool = prop(False, "start it at once")


class AddLine(WishRequest):
    """What add takes on the command line."""

    name: str = prop(REQUIRED, "name of the new watcher", positional=True)
    cmd: list[str] = prop(REQUIRED, "its command line", positional=True, many=True)
    option: list[str] = prop((), "option of the watcher, may be repeated", metavar="KEY=VALUE")
    start: bool = prop(False, "start it at once")


class Add(WishCommand):
    """Add a watcher.

    It stays stopped unless `start` is true. Options are those of a watcher's section in the
    configuration file. It is gone when the daemon ends.

    Request::

        {"command": "add",
         "properties": {"name": "web", "cmd": "/usr/bin/web --port 80", "args": [],
                        "options": {"numprocesses": 3}, "start": true, "waiting": true}}

    The reply is ok. With `start` and `waiting`, it has the pids::

        {"status": "ok", "time": 1332265655.9, "started": [4711, 4712, 4713], "kept": []}

    Command line::

        circusctl add NAME CMD... [--start] [--option KEY=VALUE]... [--waiting]

    Words after CMD belong to the command, except switches of add; all words after -- belong to it.
    """

    name = "add"
    request = AddRequest
    command_line = AddLine

    async def execute(self, supervisor: Supervisor, request: AddRequest) -> dict[str, Any]:
        """Add it, start it if asked to, and wait if asked to."""
        if not request.name.strip():
            raise api.BadMessage("'name' is empty")
        if not request.cmd.strip():
            raise api.BadMessage("'cmd' is empty")
        options = dict(request.options or {})
        if request.args is not None:
            options["args"] = request.args
        owner = supervisor.spec.endpoint_owner
        if owner is not None and str(options.get("uid")) != str(owner):
            raise api.BadMessage("uid does not match endpoint_owner")
        try:
            watcher = supervisor.add(request.name, request.cmd, options)
        except api.BadMessage as error:
            from cvec_circus_plugins.commands._near_names import of_watchers, with_nearest

            raise with_nearest(error, options, of_watchers()) from None
        if not request.start:
            return {}
        ticket = watcher.start()
        if not request.waiting:
            return {}
        try:
            (done,) = await all_done(supervisor, [ticket])
        except api.GaveUp as error:
            error.errno = api.Errno.MESSAGE_ERROR  # who gave the command is to blame
            raise
        return {"started": list(done.started), "kept": list(done.kept)}

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Join the words of the command, and read the options."""
        properties = super().compose(arguments)
        properties["cmd"] = command_text(arguments["cmd"])
        if options := arguments.get("option"):
            from cvec_circus_plugins.commands._option_words import pairs, read_options

            properties["options"] = read_options(pairs(options))
        return properties

    def complete(self, prop: Prop, words: Sequence[str], questions: Questions) -> Iterable[str]:
        """Offer the options of a watcher."""
        if prop.name != "option":
            return ()
        return [f"{name}=" for name in api.declared_options(api.WatcherSpec)]


def command_text(words: list[str]) -> str:
    """Return words as a command line.

    A single word is one already. Of several, only those are quoted that would fall apart.
    """
    if len(words) == 1:
        return words[0]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word and not any(mark in word for mark in " \t\n\"'"):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"
