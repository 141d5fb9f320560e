"""The pages. Each is rendered with what is known now; its script keeps it up to date."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from cvec_circus_plugins.httpd import daemon_pages, sign_in, watcher_pages
from cvec_circus_plugins.httpd.commands import run_command
from cvec_circus_plugins.httpd.console import console_of
from cvec_circus_plugins.httpd.handlers import page
from cvec_circus_plugins.httpd.live import live
from cvec_circus_plugins.httpd.page_data import all_daemons, totals_of
from cvec_circus_plugins.httpd.static_files import StaticFiles


@page
async def overview(request: Request) -> Response:
    """Show all watchers of all daemons."""
    console = console_of(request)
    await console.follow_daemons()
    daemons = [{**daemon, "totals": totals_of(daemon)} for daemon in all_daemons(request)]
    return console.templates.page(request, "overview.html", daemons=daemons)


def routes(static: StaticFiles) -> list[BaseRoute]:
    """Return the routes of all pages, and of what pages are made of."""
    return [
        Route("/", overview, name="overview"),
        Route("/sign-in", sign_in.show_sign_in, methods=["GET"]),
        Route("/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/sign-out", sign_in.sign_out, methods=["POST"]),
        Route("/actions/{command}", run_command, methods=["POST"]),
        Route("/static/{digest}/{name:path}", static.serve),
        *watcher_pages.routes(),
        *daemon_pages.routes(),
        WebSocketRoute("/live", live),
    ]
