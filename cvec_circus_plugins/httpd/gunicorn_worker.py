"""The worker of gunicorn that runs the console: uvicorn's, with the console's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_plugins.httpd.server import PROTOCOL_SETTINGS

if TYPE_CHECKING:
    from uvicorn.workers import UvicornWorker
else:
    try:
        from uvicorn_worker import UvicornWorker
    except ImportError:  # uvicorn has one of its own, which it is going to drop
        from uvicorn.workers import UvicornWorker


class ConsoleWorker(UvicornWorker):
    """Who is a proxy is decided by the console, which has to see the real address of its peer."""

    CONFIG_KWARGS: dict[str, Any] = {**UvicornWorker.CONFIG_KWARGS, **PROTOCOL_SETTINGS}  # noqa: RUF012
