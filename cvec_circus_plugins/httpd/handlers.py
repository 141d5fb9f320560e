"""Who may see a handler's answer: those who are signed in, or everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from secrets import compare_digest
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cvec_circus_plugins.httpd.console import session_of
from cvec_circus_plugins.httpd.gate import CSRF_HEADER
from cvec_circus_plugins.httpd.responses import problem
from cvec_circus_plugins.httpd.sessions import BEARER, SessionInfo

Handler = Callable[[Request], Awaitable[Response]]


def page(handler: Handler) -> Handler:
    """Make a page that only those see who are signed in; all others are asked to."""

    @wraps(handler)
    async def signed_in(request: Request) -> Response:
        if session_of(request) is None:
            return to_sign_in(request)
        return await handler(request)

    return signed_in


def resource(handler: Handler) -> Handler:
    """Make an answer for programs and scripts that only those get who are signed in."""

    @wraps(handler)
    async def known(request: Request) -> Response:
        if session_of(request) is None:
            return problem(
                401, "sign in first, or send a token", {"www-authenticate": 'Bearer realm="circus"'}
            )
        return await handler(request)

    return known


def to_sign_in(request: Request) -> Response:
    """Ask somebody to sign in, and bring them back."""
    root_path = request.scope.get("root_path", "")
    path = request.url.path.removeprefix(root_path)
    query = f"?{request.url.query}" if request.url.query else ""
    after = quote(f"{path}{query}", safe="")
    return RedirectResponse(f"{root_path}/sign-in?next={after}", 303)


def carries_word(request: Request, session: SessionInfo, form_word: str | None = None) -> bool:
    """Tell whether an act carries the word of its session; a program's token needs none."""
    if session.method == BEARER:
        return True
    word = request.headers.get(CSRF_HEADER) or form_word or ""
    return bool(session.csrf) and compare_digest(word.encode(), session.csrf.encode())
