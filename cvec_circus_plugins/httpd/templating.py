"""Pages from templates: everything that is put into one is escaped, and a missing name is an error.

No text carries controls into a page: who copies it into a terminal would have it obeyed there.

A template knows ``static(name)`` and ``url(path)`` for addresses below wherever a proxy has put the
console, ``session`` (None where nobody is signed in), ``console`` and ``version``, ``navigation``,
``links`` to pages of packages and the ``section`` of all these where the page is, and the ``theme``
that the browser has chosen. Filters ``size``, ``age`` and ``clock`` show numbers as circusctl does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from cvec_circus_core.api import __version__
from cvec_circus_plugins.commands._status_table import age_text, size_text
from cvec_circus_plugins.httpd.foreign_text import clean
from cvec_circus_plugins.httpd.static_files import StaticFiles

OWN_TEMPLATES = Path(__file__).parent / "templates"
OWN_STATIC = Path(__file__).parent / "static"

NAVIGATION = (
    ("/", "Watchers"),
    ("/events", "Events"),
    ("/audit", "Who did what"),
    ("/sockets", "Sockets"),
    ("/plugins", "Plugins"),
    ("/configuration", "Configuration"),
    ("/daemons", "Daemons"),
)
"""Where the bar of every page leads."""
THEME_COOKIE = "circus_theme"
THEMES = ("light", "dark")


class Templates:
    """All templates, ours and those of packages, each package below a prefix of its own."""

    def __init__(
        self, static: StaticFiles, packages: Mapping[str, Path], links: Sequence[Any]
    ) -> None:
        loaders = {prefix: FileSystemLoader(folder) for prefix, folder in packages.items()}
        self._static = static
        self._links = links
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(OWN_TEMPLATES), PrefixLoader(loaders)]),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_harmless,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(size=_shown(size_text), age=_shown(age_text), clock=_clock)

    def page(
        self,
        connection: HTTPConnection,
        name: str,
        status: int = 200,
        /,
        **values: object,
    ) -> HTMLResponse:
        """Return a page."""
        text = self.text(connection, name, **values)
        return HTMLResponse(text, status)

    def url(self, connection: HTTPConnection, path: str, *segments: str) -> str:
        """Return the address of a page, with what is put into its path."""
        root_path: str = connection.scope.get("root_path", "")
        return root_path + path.format(*(quote(segment, safe="") for segment in segments))

    def text(self, connection: HTTPConnection, name: str, /, **values: object) -> str:
        """Return the text of a page, or of a part of one."""
        root_path: str = connection.scope.get("root_path", "")
        theme = connection.cookies.get(THEME_COOKIE)

        def url(path: str, *segments: str) -> str:
            return self.url(connection, path, *segments)

        return self._environment.get_template(name).render(
            {
                "session": connection.state.session,
                "console": connection.app.state.console,
                "version": __version__,
                "navigation": NAVIGATION,
                "section": connection.scope["path"].removeprefix(root_path) or "/",
                "theme": theme if theme in THEMES else None,
                "links": self._links,
                "url": url,
                "static": lambda file: root_path + self._static.address(file),
                **values,
            }
        )


def _harmless(value: object) -> object:
    # What is markup already has come out of a template.
    return clean(value) if type(value) is str else value


def _shown(text_of: Callable[[float | None], str]) -> Callable[[object], str]:
    # What may not be read of a process is told as a text.
    return lambda number: text_of(number if isinstance(number, int | float) else None)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
