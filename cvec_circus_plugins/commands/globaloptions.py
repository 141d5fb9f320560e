"""The command globaloptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop
from cvec_circus_plugins.commands._lines import option_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvec_circus_core.api import Prop, Questions, Supervisor, Table

STATS_ENDPOINT = "tcp://127.0.0.1:5557"
"""Where statistics would be, where the file names no endpoint for them."""

USUAL = ("endpoint", "stats_endpoint", "pubsub_endpoint", "check_delay", "multicast_endpoint")


class GlobalOptionsRequest(Request):
    """What globaloptions takes."""

    option: str | None = prop(None, "option; the usual ones when not given", positional=True)
    keys: list[str] | None = prop(None, "options", hidden=True)


class GlobalOptions(Command):
    """Show options of the daemon.

    Without a name, the endpoints and the check delay are shown. `stats_endpoint` is the default one
    where none is set; among `keys` it is null then.

    Request, with one `option` or a list of `keys`::

        {"command": "globaloptions", "properties": {"option": "endpoint"}}

    The reply has them by key::

        {"status": "ok", "time": 1332265655.9, "options": {"endpoint": "tcp://127.0.0.1:5555"}}

    Command line::

        circusctl globaloptions [OPTION]
    """

    name = "globaloptions"
    request = GlobalOptionsRequest
    acts = False
    prompt = True

    async def execute(
        self, supervisor: Supervisor, request: GlobalOptionsRequest
    ) -> dict[str, Any]:
        """Look them up."""
        keys = list(request.keys or ())
        if request.option is not None:
            keys.append(request.option)
        declared = api.declared_options(api.ArbiterSpec)
        for key in keys:
            if key not in declared:
                from cvec_circus_plugins.commands._near_names import with_nearest

                raise with_nearest(api.UnknownOption(key), [key], declared)
        options = {
            key: declared[key].kind.show(getattr(supervisor.spec, key)) for key in keys or USUAL
        }
        if request.keys is None and options.get("stats_endpoint", "") is None:
            # Older clients connect to what they are told, whether anything is published there.
            options["stats_endpoint"] = STATS_ENDPOINT
        return {"options": options}

    def complete(self, prop: Prop, words: Sequence[str], questions: Questions) -> Iterable[str]:
        """Offer the daemon's options."""
        return api.declared_options(api.ArbiterSpec)

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per option."""
        return option_lines(reply["options"])

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per option."""
        from cvec_circus_plugins.commands._tables import option_tables

        return option_tables(reply.get("options"))
