"""What a package may add to the console: pages, panels on the page of a watcher, and API routes.

It brings a `ConsoleExtension` by an entry point of the group ``cvec_circus.httpd``; its name stands
in all addresses. Only those who are signed in reach any of it. What changes anything carries the
word of its session, and only operators come so far; a package that acts on the daemon does so by
`ask`, on behalf of the person who asks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cvec_circus_core.api import Role
from cvec_circus_plugins.httpd.commands import NO_WORD
from cvec_circus_plugins.httpd.console import console_of, session_of
from cvec_circus_plugins.httpd.daemon_link import PATIENCE
from cvec_circus_plugins.httpd.gate import SAFE_METHODS
from cvec_circus_plugins.httpd.handlers import Handler, carries_word, page, resource
from cvec_circus_plugins.httpd.responses import problem

log = logging.getLogger(__name__)

GROUP = "cvec_circus.httpd"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page at ``/x/NAME/path``, linked from all others by its title."""

    path: str
    title: str
    handler: Handler


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The watcher whose page is shown, and for whom."""

    request: Request
    daemon: str
    """The key of its daemon."""
    watcher: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the page of a watcher: a template of the package, and what is put into it."""

    title: str
    template: str
    values: Callable[[Subject], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class ApiRoute:
    """A route at ``/api/x/NAME/path``."""

    path: str
    handler: Handler
    methods: Sequence[str] = ("GET",)


@dataclass(frozen=True, kw_only=True)
class ConsoleExtension:
    """All that one package adds."""

    pages: Sequence[Page] = ()
    panels: Sequence[Panel] = ()
    routes: Sequence[ApiRoute] = ()
    templates: Path | None = None
    """Folder of templates, which are called ``NAME/file.html``."""
    static: Path | None = None
    """Folder of scripts and style sheets, which are called ``NAME/file.js``."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page of a package is."""

    path: str
    title: str


class Extensions:
    """Those that are installed, by name."""

    def __init__(self, extensions: Mapping[str, ConsoleExtension]) -> None:
        self._extensions = extensions

    @property
    def templates(self) -> Mapping[str, Path]:
        """The folders of their templates."""
        return {
            name: extension.templates
            for name, extension in self._extensions.items()
            if extension.templates is not None
        }

    @property
    def static(self) -> Mapping[str, Path]:
        """The folders of their static files, by what stands before each name."""
        return {
            f"{name}/": extension.static
            for name, extension in self._extensions.items()
            if extension.static is not None
        }

    @property
    def links(self) -> Sequence[Link]:
        """Their pages."""
        return [
            Link(f"/x/{name}/{own_page.path.lstrip('/')}", own_page.title)
            for name, extension in self._extensions.items()
            for own_page in extension.pages
        ]

    def routes(self) -> list[BaseRoute]:
        """Return the routes of their pages and of their part of the interface."""
        pages = [
            Route(f"/x/{name}/{own_page.path.lstrip('/')}", page(own_page.handler))
            for name, extension in self._extensions.items()
            for own_page in extension.pages
        ]
        api_routes = [
            Route(
                f"/api/x/{name}/{route.path.lstrip('/')}",
                _guarded(route.handler),
                methods=list(route.methods),
            )
            for name, extension in self._extensions.items()
            for route in extension.routes
        ]
        return [*pages, *api_routes]

    async def panels(self, subject: Subject) -> Sequence[tuple[str, Markup]]:
        """Return title and text of each panel of a watcher's page; a bad one hurts no other."""
        panels: list[tuple[str, Markup]] = []
        templates = console_of(subject.request).templates
        for name, extension in self._extensions.items():
            for panel in extension.panels:
                try:
                    values = await panel.values(subject)
                    text = templates.text(subject.request, f"{name}/{panel.template}", **values)
                except Exception:
                    log.exception("panel %s of %s has failed", panel.title, name)
                    text = ""
                # It has come out of a template, which escapes what is put into it.
                panels.append((panel.title, Markup(text)))  # noqa: S704
        return panels


def extensions_of(request: Request) -> Extensions:
    """Return the additions to the console that a request came to."""
    return cast(Extensions, request.app.state.extensions)


async def ask(
    request: Request, daemon: str | None, command: str, **properties: object
) -> Mapping[str, Any]:
    """Return the daemon's reply to a command, on behalf of the person who asks.

    Raises `CallError`, and LookupError for a daemon that is not known.
    """
    session = session_of(request)
    if session is None:
        raise LookupError("nobody is signed in")
    model = console_of(request).daemon(daemon)
    return await model.ask(command, properties, session.person, PATIENCE)


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        session = session_of(request)
        assert session is not None
        if request.method not in SAFE_METHODS:
            if not carries_word(request, session):
                return problem(403, NO_WORD)
            if session.person.role is not Role.OPERATOR:
                return problem(403, "the role operator lets people act")
        return await handler(request)

    return resource(guarded)
