"""A page of the console: the state of every watcher, and nothing else."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from cvec_circus_plugins.httpd.console import console_of
from cvec_circus_plugins.httpd.extension import ConsoleExtension, Page, ask


async def show_states(request: Request) -> Response:
    """Show the page, with what the person who looks may see."""
    reply = await ask(request, request.query_params.get("daemon"), "status")
    states = sorted(reply["statuses"].items())
    return console_of(request).templates.page(request, "states/states.html", states=states)


EXTENSION = ConsoleExtension(
    pages=[Page(path="all", title="States", handler=show_states)],
    templates=Path(__file__).parent / "states_page_templates",
)
