"""What every request passes before anything of it is done, whatever route it takes.

The host must be one of ours (a foreign name would be a rebound one), the origin of what comes from
a page too, and who asks must be known: by a token, by the cookie of a session, or by a proxy that
has proven itself. What changes anything carries the word of its session, unless no browser could
have sent it by itself, as a token in a header. After it, handlers find a `SessionInfo` or None.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser

from cvec_circus_plugins.httpd.accounts import Accounts
from cvec_circus_plugins.httpd.responses import Json, problem, secure
from cvec_circus_plugins.httpd.sessions import BEARER, SessionInfo, csrf_of
from cvec_circus_plugins.httpd.settings import ConsoleSettings
from cvec_circus_plugins.httpd.visit import Visit, headers_of, is_allowed_host, visit_of

LARGEST_BODY = 1 << 20
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "x-csrf-token"

ScopeMap = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[ScopeMap, Receive, Send], Awaitable[None]]


class BodyTooLarge(HTTPException):
    """More came than any request of ours needs."""

    def __init__(self) -> None:
        super().__init__(413, f"a request has {LARGEST_BODY} bytes at most")


class Gate:
    """Lets requests through to the application."""

    def __init__(self, app: App, settings: ConsoleSettings, accounts: Accounts) -> None:
        self._app = app
        self._settings = settings
        self._accounts = accounts

    async def __call__(self, scope: ScopeMap, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        visit = visit_of(scope, self._settings, self._accounts.proxy_secret)

        async def send_secured(message: MutableMapping[str, Any]) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                secure(message, is_secure=visit.is_secure)
            await send(message)

        refusal = self._refusal(scope, visit)
        if refusal is not None:
            await refusal(scope, receive, send_secured)
            return
        session = self._session(scope, visit)
        _place(scope, visit)
        scope.setdefault("state", {}).update({"visit": visit, "session": session})
        await self._app(scope, _bounded(receive), send_secured)

    def _refusal(self, scope: ScopeMap, visit: Visit) -> Json | None:
        if not is_allowed_host(visit, self._settings):
            return problem(
                421, "this console does not go by that host; httpd_hosts in [circus] lets it"
            )
        headers = headers_of(scope)
        origins = headers.get("origin", [])
        is_act = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if is_act and any(not visit.is_own_origin(origin) for origin in origins):
            return problem(403, "the request comes from a page of another origin")
        if is_act and "cross-site" in headers.get("sec-fetch-site", []):
            return problem(403, "the request comes from a page of another site")
        length = headers.get("content-length", ["0"])[-1]
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return problem(413, f"a request has {LARGEST_BODY} bytes at most")
        return None

    def _session(self, scope: ScopeMap, visit: Visit) -> SessionInfo | None:
        headers = headers_of(scope)
        scheme, _, token = headers.get("authorization", [""])[0].partition(" ")
        if scheme.lower() == "bearer":
            person = self._accounts.tokens.person(token.strip())
            return None if person is None else SessionInfo(person, BEARER)
        if visit.proxy_person is not None:
            person = self._accounts.proxy_person(visit.proxy_person)
            return SessionInfo(person, "proxy", csrf_of(self._accounts.proxy_word(person.name)))
        cookies = cookie_parser("; ".join(headers.get("cookie", [])))
        secret = cookies.get(cookie_name(self._settings, visit))
        return None if secret is None else self._accounts.session(secret)


def cookie_name(settings: ConsoleSettings, visit: Visit) -> str:
    """Return the name of the cookie: consoles on other ports of a host have other ones."""
    mark = sha256(f"{settings.port}{settings.folder}{visit.root_path}".encode()).hexdigest()[:8]
    return f"circus_{mark}"


def _place(scope: ScopeMap, visit: Visit) -> None:
    """Let the path begin with where the console is, whether a proxy has cut that off or not."""
    scope["root_path"] = visit.root_path
    root, path = visit.root_path, scope["path"]
    if root and path != root and not path.startswith(f"{root}/"):
        scope["path"] = root + path


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def receive_bounded() -> MutableMapping[str, Any]:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise BodyTooLarge
        return message

    return receive_bounded
