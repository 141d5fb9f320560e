"""The way in and out: a password, a one-time link or a token; and out again.

Mail and chat programs fetch addresses that they see, so a link only shows a page: what lets
somebody in is the form on it. Nobody is told whether a name exists.
"""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cvec_circus_core.api import BadKeys, BadMessage, Person, quoted
from cvec_circus_plugins.httpd.console import Console, console_of, session_of, visit_of_request
from cvec_circus_plugins.httpd.forms import form_of
from cvec_circus_plugins.httpd.gate import cookie_name
from cvec_circus_plugins.httpd.handlers import carries_word

log = logging.getLogger(__name__)

_WRONG = "that is not right, or not good any more"
_LONGEST_NAME = 64
"""Letters of a name by which failures are counted: nobody has a longer one."""
_SLASHES = ("//", "/\\")


async def show_sign_in(request: Request) -> Response:
    """Show the form."""
    if session_of(request) is not None and "link" not in request.query_params:
        return _onward(request, request.query_params.get("next", "/"))
    return _form(request)


async def sign_in(request: Request) -> Response:
    """Let somebody in who shows a password, a link or a token."""
    console, visit = console_of(request), visit_of_request(request)
    try:
        form = await form_of(request)
    except BadMessage as error:
        return _form(request, 400, str(error))
    name = form.get("name", "").strip()
    accounts = (f"address {visit.client}", *((f"name {name[:_LONGEST_NAME]}",) if name else ()))
    seconds = console.attempts.seconds_to_wait(*accounts)
    if seconds > 0:
        response = _form(request, 429, f"too many attempts; wait {seconds:.0f} seconds")
        response.headers["retry-after"] = f"{seconds:.0f}"
        return response
    person, method = await _person(console, form, name)
    if person is None:
        console.attempts.failed(*accounts)
        log.warning("a sign-in of %s from %s failed", quoted(name or "?"), quoted(visit.client))
        return _form(request, 403, _WRONG)
    console.attempts.succeeded(*accounts)
    log.info("person %s signed in from %s by %s", quoted(person.name), visit.client, method)
    return _begin(request, console, person, method, form.get("next", "/"))


async def sign_out(request: Request) -> Response:
    """End the session."""
    session = session_of(request)
    form = await form_of(request)
    if session is not None and carries_word(request, session, form.get("csrf")):
        console = console_of(request)
        console.accounts.sessions.end(session.key)
        log.info("person %s signed out", quoted(session.person.name))
    response = _onward(request, "/sign-in")
    response.delete_cookie(_cookie(request), path=_cookie_path(request))
    return response


async def _person(console: Console, form: dict[str, str], name: str) -> tuple[Person | None, str]:
    accounts = console.accounts
    try:
        if secret := form.get("link", "").strip():
            return accounts.links.use(secret), "link"
        if token := form.get("token", "").strip():
            # The token of a program, or the secret of a link that was pasted.
            person = accounts.tokens.person(token)
            return (person, "token") if person else (accounts.links.use(token), "link")
        return await accounts.people.checked(name, form.get("password", "")), "password"
    except BadKeys as error:
        log.error("nobody can sign in: %s", error)
        return None, ""


def _begin(
    request: Request, console: Console, person: Person, method: str, target: str
) -> Response:
    earlier = session_of(request)
    if earlier is not None and earlier.key:
        console.accounts.sessions.end(earlier.key)
    # A cookie that was there before is never made the one of a session.
    secret = console.accounts.sessions.begin(person, method)
    response = _onward(request, target)
    response.set_cookie(
        _cookie(request),
        secret,
        path=_cookie_path(request),
        secure=visit_of_request(request).is_secure,
        httponly=True,
        samesite="lax",
    )
    return response


def _form(request: Request, status: int = 200, mistake: str = "") -> Response:
    console = console_of(request)
    return console.templates.page(
        request,
        "sign_in.html",
        status,
        mistake=mistake,
        link=request.query_params.get("link", ""),
        target=_local(request.query_params.get("next", "/")),
        has_people=console.accounts.people.has_any,
    )


def _local(target: str) -> str:
    """Return a path below the console's root; what leads elsewhere becomes the root."""
    is_local = target.startswith("/") and not target.startswith(_SLASHES)
    return target if is_local and target.isprintable() and "\\" not in target else "/"


def _onward(request: Request, target: str) -> Response:
    return RedirectResponse(request.scope.get("root_path", "") + _local(target), 303)


def _cookie(request: Request) -> str:
    return cookie_name(console_of(request).settings, visit_of_request(request))


def _cookie_path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"
