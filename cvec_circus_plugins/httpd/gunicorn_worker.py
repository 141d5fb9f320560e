"""The worker of gunicorn that runs the console: uvicorn's, with the console's own settings."""

from __future__ import annotations

from typing import Any

from uvicorn.workers import UvicornWorker

from cvec_circus_plugins.httpd.server import PROTOCOL_SETTINGS


class ConsoleWorker(UvicornWorker):
    """Who is a proxy is decided by the console, which has to see the real address of its peer."""

    CONFIG_KWARGS: dict[str, Any] = {**UvicornWorker.CONFIG_KWARGS, **PROTOCOL_SETTINGS}  # noqa: RUF012
