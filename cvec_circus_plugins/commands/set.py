"""The command set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, prop
from cvec_circus_plugins.commands._wishes import WishCommand, WishRequest, all_done

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvec_circus_core.api import Prop, Questions, Supervisor


class SetRequest(WishRequest):
    """What set takes: options as one object, or beside the name."""

    open_ended = True

    name: str = prop(REQUIRED, "watcher")
    options: dict[str, Any] | None = prop(None, "options and their values")


class SetLine(WishRequest):
    """What set takes on the command line."""

    name: str = prop(REQUIRED, "watcher", positional=True, pattern=True)
    pairs: list[str] = prop(
        REQUIRED, "an option and its value", positional=True, many=True, metavar="KEY VALUE"
    )


class Set(WishCommand):
    """Set options of a watcher.

    All values are checked before the first one is set. What follows depends on the option: some
    are used from now on, some add or remove processes, some need new processes, which a graceful
    reload brings. A watcher that is stopped stays so.

    Request::

        {"command": "set",
         "properties": {"name": "web", "options": {"numprocesses": 3}, "waiting": true}}

    The options may also be given beside the name. The reply is ok; with `waiting`, it comes when
    all changes have taken effect::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl set NAME KEY VALUE [KEY VALUE]... [--waiting]
    """

    name = "set"
    request = SetRequest
    command_line = SetLine

    async def execute(self, supervisor: Supervisor, request: SetRequest) -> dict[str, Any]:
        """Set them, and wait if asked to."""
        watcher = supervisor.watcher(request.name)
        options = {**(request.options or {}), **request.rest}
        if not options:
            raise api.BadMessage("message invalid 'options' is missing")
        try:
            ticket = watcher.change(options)
        except api.BadMessage as error:
            from cvec_circus_plugins.commands._near_names import of_watchers, with_nearest

            raise with_nearest(error, options, of_watchers()) from None
        if request.waiting:
            await all_done(supervisor, [ticket])
        return {}

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Read keys and values in turn."""
        from cvec_circus_plugins.commands._option_words import read_options

        words = arguments["pairs"]
        if len(words) % 2:
            raise ValueError(f"{words[-1]!r} has no value: give KEY VALUE pairs")
        pairs = zip(words[::2], words[1::2], strict=True)
        return {**super().compose(arguments), "options": read_options(pairs)}

    def complete(self, prop: Prop, words: Sequence[str], questions: Questions) -> Iterable[str]:
        """Offer options where an option is due, not its value."""
        if prop.name != "pairs":
            return super().complete(prop, words, questions)
        return questions.names_of("option", words) if len(words) % 2 else ()
