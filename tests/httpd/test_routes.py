"""Every route, by what it lets nobody, a viewer and a forged request do; and bad extensions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from cvec_circus_core.api import Person, Role
from cvec_circus_plugins.httpd import app as application
from cvec_circus_plugins.httpd.extension import (
    ApiRoute,
    ConsoleExtension,
    Extensions,
    Page,
    Panel,
)
from cvec_circus_plugins.httpd.gate import Gate
from cvec_circus_plugins.httpd.responses import Json
from cvec_circus_plugins.httpd.sessions import csrf_of
from cvec_circus_plugins.httpd.settings import ConsoleSettings, DaemonAddress

XSS = "<script>alert(1)</script>"
BY_THE_DAEMON = ("/actions/{command}", "/api/commands/{command}")
"""Acts of which the daemon decides; tried in test_security."""
FOR_EVERYBODY = ("/sign-in", "/sign-out", "/static/{digest}/{name:path}")

Visit = Callable[[httpx.AsyncClient], Awaitable[None]]


async def fails(request: Request) -> Response:
    """Do what a bad package does."""
    raise RuntimeError("secret detail")


async def answers(request: Request) -> Response:
    """Do what a good package does."""
    return Json({"status": "ok"})


async def no_values(subject: Any) -> Any:
    """Fail for a panel."""
    raise RuntimeError("secret detail")


EXTENSION = ConsoleExtension(
    pages=[Page(path="boom", title=XSS, handler=fails)],
    panels=[Panel(title="Bad panel", template="nothing.html", values=no_values)],
    routes=[
        ApiRoute(path="boom", handler=fails),
        ApiRoute(path="act", handler=answers, methods=("POST", "DELETE")),
    ],
)


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A console with a bad extension, and a daemon that is never there."""
    monkeypatch.setattr(application, "installed_extensions", lambda: Extensions({"bad": EXTENSION}))
    daemon = DaemonAddress(
        endpoint=f"ipc://{tmp_path}/nobody", pubsub_endpoint=f"ipc://{tmp_path}/x"
    )
    return application.create_app(ConsoleSettings(folder=str(tmp_path / "kept"), daemons=(daemon,)))


def starlette_of(gate: Gate) -> Starlette:
    """Return what is behind the gate."""
    return cast(Starlette, gate._app)


def visit(gate: Gate, act: Visit, role: Role | None = None, *, word: bool = True) -> None:
    """Let somebody visit the console."""

    async def run() -> None:
        console = starlette_of(gate).state.console
        await console.start()
        transport = httpx.ASGITransport(app=cast(Any, gate), raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost:8080"
            ) as browser:
                if role is not None:
                    secret = console.accounts.sessions.begin(Person("somebody", role), "link")
                    await _sign_in(browser, console, secret)
                    if word:
                        browser.headers["x-csrf-token"] = csrf_of(secret)
                await act(browser)
        finally:
            await console.close()

    asyncio.run(run())


async def _sign_in(browser: httpx.AsyncClient, console: Any, secret: str) -> None:
    link = console.accounts.links.make(Person("x", Role.VIEWER))
    response = await browser.post("/sign-in", data={"link": link})
    name = next(iter(browser.cookies))
    assert response.status_code == 303
    browser.cookies.clear()
    browser.cookies.set(name, secret)


def routes(gate: Gate) -> Iterator[tuple[str, str]]:
    """Yield method and path of each route of HTTP."""
    for route in starlette_of(gate).routes:
        assert isinstance(route, Route | WebSocketRoute), "a mount would hide routes from here"
        if isinstance(route, Route):
            for method in route.methods or ():
                yield method, route.path


def path_of(pattern: str) -> str:
    """Return an address that a route has."""
    return re.sub(r"{(\w+)(:path)?}", r"\1", pattern)


def test_nobody_gets_anything_without_signing_in(gate: Gate) -> None:
    async def act(browser: httpx.AsyncClient) -> None:
        for method, pattern in routes(gate):
            if pattern in FOR_EVERYBODY:
                continue
            response = await browser.request(method, path_of(pattern))
            asked_to_sign_in = response.headers.get("location", "").startswith("/sign-in?next=")
            assert response.status_code == 401 or asked_to_sign_in, (method, pattern)

    visit(gate, act)


def test_a_made_up_token_gets_nothing(gate: Gate) -> None:
    async def act(browser: httpx.AsyncClient) -> None:
        for token in ("Bearer x", "Bearer ", "Bearer circus_" + "A" * 43, "Basic Og==", "x"):
            for method, pattern in routes(gate):
                if pattern not in FOR_EVERYBODY:
                    headers = {"authorization": token}
                    response = await browser.request(method, path_of(pattern), headers=headers)
                    assert response.status_code in (303, 401), (token, method, pattern)

    visit(gate, act)


@pytest.mark.parametrize(
    ("role", "word"), [(Role.VIEWER, True), (Role.OPERATOR, False)], ids=["viewer", "forged"]
)
def test_nothing_is_changed_by_a_viewer_or_without_the_word(
    gate: Gate, role: Role, word: bool
) -> None:
    tried = []

    async def act(browser: httpx.AsyncClient) -> None:
        for method, pattern in routes(gate):
            if method in ("GET", "HEAD") or pattern in (
                *FOR_EVERYBODY,
                "/daemons/{daemon}/statistics",
            ):
                continue
            if word and (pattern in BY_THE_DAEMON or pattern.startswith("/watchers/")):
                continue
            response = await browser.request(method, path_of(pattern))
            expected = (403, 404) if pattern in BY_THE_DAEMON else (403,)
            assert response.status_code in expected, (method, pattern, response.text)
            tried.append(pattern)

    visit(gate, act, role, word=word)
    assert {"/add", "/daemons", "/api/x/bad/act"} <= set(tried)


def test_no_page_of_a_viewer_fails_and_all_answers_are_careful(gate: Gate) -> None:
    async def act(browser: httpx.AsyncClient) -> None:
        for method, pattern in routes(gate):
            if method != "GET" or pattern.startswith(("/api/events", "/api/output")):
                continue
            response = await browser.get(path_of(pattern))
            assert response.status_code < 500 or "/bad/" in pattern, (pattern, response.text)
            headers = response.headers
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert headers["x-frame-options"] == "DENY"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            if not pattern.startswith("/static"):
                assert headers["cache-control"] == "no-store", pattern

    visit(gate, act, Role.VIEWER)


class TestBadExtensions:
    @pytest.mark.parametrize("path", ["/x/bad/boom", "/api/x/bad/boom"])
    def test_one_that_raises_tells_nothing_and_hurts_nobody(self, gate: Gate, path: str) -> None:
        async def act(browser: httpx.AsyncClient) -> None:
            response = await browser.get(path)
            assert response.status_code == 500
            assert response.json()["reason"] == "unexpected RuntimeError"
            assert "secret" not in response.text
            assert "Traceback" not in response.text
            assert (await browser.get("/")).status_code == 200

        visit(gate, act, Role.VIEWER)

    def test_its_title_is_text(self, gate: Gate) -> None:
        async def act(browser: httpx.AsyncClient) -> None:
            text = (await browser.get("/")).text
            assert XSS not in text
            assert "&lt;script&gt;alert(1)" in text

        visit(gate, act, Role.VIEWER)

    def test_a_panel_that_raises_leaves_the_page_whole(self, gate: Gate) -> None:
        async def act(browser: httpx.AsyncClient) -> None:
            (daemon,) = starlette_of(gate).state.console.daemons.values()
            state = {"running": 0, "numprocesses": 1, "restarts": 0, "last_death": None}
            daemon.watchers = {"web": {**state, "reason": None, "shown": "stopped"}}
            response = await browser.get(f"/watchers/{daemon.key}/processes/web")
            assert response.status_code == 200
            assert "Bad panel" in response.text
            assert "No process is running." in response.text

        visit(gate, act, Role.VIEWER)


class TestForeignNames:
    def test_an_endpoint_is_text(self, gate: Gate) -> None:
        async def act(browser: httpx.AsyncClient) -> None:
            form = {"endpoint": f"tcp://{XSS}:1", "pubsub_endpoint": f"tcp://{XSS}:2"}
            assert (await browser.post("/daemons", data=form)).status_code == 303
            for path in ("/", "/daemons", "/events"):
                text = (await browser.get(path)).text
                assert XSS not in text
                assert "&lt;script&gt;" in text

        visit(gate, act, Role.OPERATOR)

    @pytest.mark.parametrize("endpoint", [f"http://{XSS}", "tcp://\x1b[2Jx:1", "ipc://a b", "x"])
    def test_a_mistake_in_one_is_text(self, gate: Gate, endpoint: str) -> None:
        async def act(browser: httpx.AsyncClient) -> None:
            response = await browser.post("/daemons", data={"endpoint": endpoint})
            assert response.status_code == 400
            assert XSS not in response.text
            assert "\x1b" not in response.text

        visit(gate, act, Role.OPERATOR)
