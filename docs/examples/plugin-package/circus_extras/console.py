"""Additions to the web console: a page, a panel on the page of each watcher, and an API route.

All three ask the daemon for this package's own command, on behalf of the person who looks: what the
person may not, the page may not either. Text is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cvec_circus_plugins.httpd.console import console_of
from cvec_circus_plugins.httpd.extension import (
    ApiRoute,
    ConsoleExtension,
    Page,
    Panel,
    Subject,
    ask,
)


async def show_page(request: Request) -> Response:
    """Show the open files of all processes of the first daemon."""
    reply = await ask(request, None, "openfiles")
    templates = console_of(request).templates
    return templates.page(request, "openfiles/page.html", processes=reply.get("processes", []))


async def panel_values(subject: Subject) -> Mapping[str, Any]:
    """Return what the panel of one watcher shows."""
    reply = await ask(subject.request, subject.daemon, "openfiles", name=subject.watcher)
    return {"processes": reply.get("processes", [])}


async def count_files(request: Request) -> Response:
    """Return how many files all processes have open."""
    reply = await ask(request, request.query_params.get("daemon"), "openfiles")
    files = sum(process["files"] for process in reply.get("processes", []))
    return JSONResponse({"files": files})


EXTENSION = ConsoleExtension(
    pages=[Page(path="all", title="Open files", handler=show_page)],
    panels=[Panel(title="Open files", template="panel.html", values=panel_values)],
    routes=[ApiRoute(path="count", handler=count_files)],
    templates=Path(__file__).parent / "console_templates",
)
