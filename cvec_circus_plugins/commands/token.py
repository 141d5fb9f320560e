"""The command token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor, Table
    from cvec_circus_plugins.httpd.tokens import Tokens

ADD, LIST, REMOVE = "add", "list", "rm"
ROLES = ("operator", "viewer")


class TokenRequest(Request):
    """What token takes."""

    act: str = prop(REQUIRED, "what to do", positional=True, choices=(ADD, LIST, REMOVE))
    holder: str | None = prop(None, "name of the token", positional=True, metavar="NAME")
    role: str = prop("viewer", "what the program may that has it", choices=ROLES)
    days: int | None = prop(None, "how long it is good for; for ever when not given")


class Token(Command):
    """Make, list or remove tokens, by which programs come in at the console.

    A program sends its token with each request to the HTTP interface, as ``Authorization: Bearer
    TOKEN``. It is shown once, and not kept. Only those may use this command who may do everything.

    Request::

        {"command": "token", "properties": {"act": "add", "holder": "deploy", "role": "operator"}}

    The reply to add has the `token`, the reply to list the `tokens` by name::

        {"status": "ok", "time": 1332265655.9, "holder": "deploy", "token": "circus_…"}
        {"status": "ok", "time": 1332265655.9,
         "tokens": {"deploy": {"role": "operator", "created": 1332265655.9, "expires": null}}}

    Command line::

        circusctl token add NAME [--role operator|viewer] [--days N]
        circusctl token list
        circusctl token rm NAME
    """

    name = "token"
    request = TokenRequest
    for_operators = True
    nothing = "no tokens yet: circusctl token add NAME"

    async def execute(self, supervisor: Supervisor, request: TokenRequest) -> dict[str, Any]:
        """Do it in the folder of the daemon's console, and not in the daemon's loop."""
        return await asyncio.to_thread(_change, supervisor.spec.httpd_folder, request)

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show the new token, or a line for each."""
        if "token" in reply:
            return f"{reply['token']}"
        lines = (
            f"{name}: {row['role']}, {_until(row['expires'])}"
            for name, row in reply.get("tokens", {}).items()
        )
        return "\n".join(lines) if "tokens" in reply else "ok"

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row for each token."""
        if not reply.get("tokens"):
            return ()
        rows = [
            (name, row["role"], _until(row["expires"])) for name, row in reply["tokens"].items()
        ]
        return (api.Table(("NAME", "ROLE", "GOOD"), rows),)


def _change(folder: str | None, request: TokenRequest) -> dict[str, Any]:
    from pathlib import Path

    from cvec_circus_plugins.httpd.settings import default_folder
    from cvec_circus_plugins.httpd.tokens import Tokens, read_person_name

    tokens = Tokens(Path(folder or default_folder()))
    if request.act == LIST:
        return {"tokens": _rows(tokens)}
    if request.act not in (ADD, REMOVE):
        raise api.BadMessage("'act' must be add, list or rm")
    if request.holder is None:
        raise api.BadMessage(f"token {request.act} needs a name")
    name = read_person_name(request.holder)
    if request.act == REMOVE:
        tokens.remove(name)
        return {}
    if request.role not in ROLES:
        raise api.BadMessage("'role' must be operator or viewer")
    if request.days is not None and not 0 < request.days <= 36500:
        raise api.BadMessage("'days' must be from 1 to 36500")
    seconds = None if request.days is None else request.days * 86400.0
    return {"holder": name, "token": tokens.add(name, api.Role(request.role), seconds)}


def _rows(tokens: Tokens) -> dict[str, Any]:
    return {
        info.name: {"role": info.role, "created": info.created, "expires": info.expires}
        for info in tokens.infos()
    }


def _until(expires: float | None) -> str:
    if expires is None:
        return "for ever"
    days = (expires - api.unix_time()) / 86400
    return f"for {days:.0f} days" if days > 0 else "no more"
