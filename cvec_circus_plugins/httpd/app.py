"""The ASGI application of a console, for any server that speaks ASGI."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cvec_circus_core.api import BadKeys
from cvec_circus_plugins.httpd import api, pages
from cvec_circus_plugins.httpd.accounts import Accounts
from cvec_circus_plugins.httpd.console import Console, console_of, session_of
from cvec_circus_plugins.httpd.gate import SAFE_METHODS, Gate
from cvec_circus_plugins.httpd.installed import installed_extensions
from cvec_circus_plugins.httpd.responses import problem
from cvec_circus_plugins.httpd.settings import ConsoleSettings
from cvec_circus_plugins.httpd.static_files import StaticFiles
from cvec_circus_plugins.httpd.templating import OWN_STATIC, Templates

log = logging.getLogger(__name__)


def create_app(settings: ConsoleSettings) -> Gate:
    """Return the application. Raises `ConfigError` and `BadKeys`."""
    accounts = Accounts(settings)
    extensions = installed_extensions()
    static = StaticFiles({"": OWN_STATIC, **extensions.static})
    templates = Templates(static, extensions.templates, extensions.links)
    console = Console(settings, accounts, templates)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await console.start()
        try:
            yield
        finally:
            await console.close()

    app = Starlette(
        routes=[*pages.routes(static), *api.routes(), *extensions.routes()],
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_problem, BadKeys: _bad_file, Exception: _fault},
    )
    app.state.console = console
    app.state.extensions = extensions
    # Around everything, so that also an answer to a fault of ours has the headers of all.
    return Gate(app, settings, accounts)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and request.method in SAFE_METHODS and session_of(request) is not None:
        templates = console_of(request).templates
        return templates.page(request, "problem.html", error.status_code, reason=error.detail)
    return problem(error.status_code, error.detail, error.headers)


async def _bad_file(request: Request, error: Exception) -> Response:
    log.error("%s", error)
    return problem(500, "a file of the console can not be used; its log says which")


async def _fault(request: Request, error: Exception) -> Response:
    return problem(500, f"unexpected {type(error).__name__}")
