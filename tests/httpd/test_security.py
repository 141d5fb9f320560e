"""What must not be possible, each tried against a real console in front of a real daemon."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.httpd.conftest import Serve
from tests.httpd.consoles import ConsoleProcess, person_on
from tests.live.daemon import Daemon, until

Shared = tuple[Daemon, ConsoleProcess]
EVIL = "https://evil.example"
XSS = "<script>alert(1)</script>"
ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def live(console: ConsoleProcess, cookie: str | None, origin: str | None) -> ClientConnection:
    """Open the WebSocket of a page."""
    address = console.base.replace("http", "ws") + "/live"
    headers = {} if cookie is None else {"cookie": cookie}
    own_origin = None if origin is None else Origin(origin)
    return connect(address, additional_headers=headers, origin=own_origin, compression=None)


class TestForgedRequests:
    @pytest.mark.parametrize("word", [None, "", "x", "0" * 64])
    def test_an_act_without_the_word_of_its_session(self, shared: Shared, word: str | None) -> None:
        daemon, console = shared
        person = console.signed_in()
        headers = {} if word is None else {"x-csrf-token": word}
        response = person.browser.post("/actions/incr", json={"name": "web"}, headers=headers)
        assert response.status_code == 403
        assert len(daemon.pids("web")) == 2

    def test_the_word_of_another_session(self, shared: Shared) -> None:
        daemon, console = shared
        person, other = console.signed_in(), console.signed_in()
        headers = {"x-csrf-token": other.word}
        response = person.browser.post("/actions/incr", json={"name": "web"}, headers=headers)
        assert response.status_code == 403
        assert len(daemon.pids("web")) == 2

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": EVIL},
            {"origin": "null"},
            {"origin": "http://localhost:1"},
            {"sec-fetch-site": "cross-site"},
        ],
    )
    def test_an_act_from_a_foreign_page(self, shared: Shared, headers: Mapping[str, str]) -> None:
        _, console = shared
        person = console.signed_in()
        headers = {**headers, "x-csrf-token": person.word}
        response = person.browser.post("/actions/incr", json={"name": "web"}, headers=headers)
        assert response.status_code == 403

    @pytest.mark.parametrize("path", ["/actions/incr", "/api/commands/incr"])
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
    def test_nothing_is_changed_by_another_method(
        self, shared: Shared, path: str, method: str
    ) -> None:
        _, console = shared
        person = console.signed_in()
        assert person.browser.request(method, path).status_code == 405

    def test_a_form_of_a_foreign_page_is_no_json(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        response = person.browser.post(
            "/actions/incr",
            content=b'{"name": "web"}',
            headers={"content-type": "text/plain", "x-csrf-token": person.word},
        )
        assert response.status_code == 400

    def test_nobody_is_signed_in_by_a_foreign_page(self, shared: Shared) -> None:
        _, console = shared
        form = {"link": console.new_link()}
        response = console.client().post("/sign-in", data=form, headers={"origin": EVIL})
        assert response.status_code == 403


class TestWebSocket:
    @pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:1"])
    def test_a_page_of_another_origin(self, shared: Shared, origin: str) -> None:
        _, console = shared
        with pytest.raises(InvalidStatus) as refusal:
            live(console, console.signed_in().cookie, origin)
        assert refusal.value.response.status_code == 403

    def test_a_page_by_a_name_that_was_rebound(self, shared: Shared) -> None:
        _, console = shared
        raw = (
            f"GET /live HTTP/1.1\r\nhost: evil.example\r\norigin: http://evil.example\r\n"
            f"cookie: {console.signed_in().cookie}\r\nconnection: Upgrade\r\n"
            "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert exchange(console, raw.encode()).startswith(b"HTTP/1.1 421")

    @pytest.mark.parametrize("cookie", [None, "circus_00000000=x"])
    def test_nobody_who_is_not_signed_in(self, shared: Shared, cookie: str | None) -> None:
        _, console = shared
        with live(console, cookie, console.base) as page, pytest.raises(ConnectionClosed) as end:
            page.recv(timeout=10)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 4401

    @pytest.mark.parametrize(
        "wish", ["x", "[]", '{"topics": 1}', "[" * 4000, "x" * 5000, '{"watcher": []}']
    )
    def test_nonsense_hurts_nobody_else(self, shared: Shared, wish: str) -> None:
        _, console = shared
        person = console.signed_in()
        with live(console, person.cookie, console.base) as other:
            other.recv(timeout=10)
            with live(console, person.cookie, console.base) as page:
                page.send(wish)
                other.send("{}")
            person.ok("status")
            assert other.ping().wait(10)


class TestRebinding:
    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "a b", "[::1"]
    )
    def test_a_foreign_host_is_refused(self, shared: Shared, host: str) -> None:
        _, console = shared
        raw = f"GET /sign-in HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
        status = exchange(console, raw).split(b" ")[1]
        assert status in (b"421", b"400")

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
    def test_our_own_names_are_fine(self, shared: Shared, host: str) -> None:
        _, console = shared
        headers = {"host": f"{host}:{console.port}"}
        assert console.client(**headers).get("/sign-in").status_code == 200

    def test_two_hosts_are_none(self, shared: Shared) -> None:
        _, console = shared
        raw = b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n"
        assert exchange(console, raw).split(b" ")[1] in (b"421", b"400")


class TestViewers:
    @pytest.mark.parametrize(
        ("command", "properties"),
        [
            ("incr", {"name": "web"}),
            ("stop", {"name": "web"}),
            ("quit", {}),
            ("add", {"name": "x", "cmd": "true"}),
            ("set", {"name": "web", "options": {"numprocesses": 5}}),
            ("signal", {"name": "web", "signum": 9}),
            ("kill", {"name": "web"}),
            ("reloadconfig", {}),
            ("env", {"name": "web"}),
            ("token", {"act": "list"}),
            ("token", {"act": "add", "holder": "mine", "role": "operator"}),
        ],
    )
    @pytest.mark.parametrize("path", ["actions", "api/commands"])
    def test_a_viewer_may_not_act(
        self, shared: Shared, path: str, command: str, properties: dict[str, Any]
    ) -> None:
        daemon, console = shared
        viewer = console.signed_in("viewer", "vic")
        before = daemon.pids("web")
        headers = {"x-csrf-token": viewer.word}
        response = viewer.browser.post(f"/{path}/{command}", json=properties, headers=headers)
        assert (response.status_code, response.json()["errno"]) == (403, 7)
        assert "'vic' may not use" in response.json()["reason"]
        assert daemon.pids("web") == before

    def test_a_viewer_may_look(self, shared: Shared) -> None:
        _, console = shared
        viewer = console.signed_in("viewer", "vic")
        assert viewer.ok("status")["statuses"]["web"] == "active"

    def test_a_person_can_not_be_named_by_the_request(self, shared: Shared) -> None:
        _, console = shared
        viewer = console.signed_in("viewer", "vic")
        body = {"name": "web", "person": {"name": "root", "role": "operator"}, "command": "quit"}
        headers = {"x-csrf-token": viewer.word}
        assert viewer.browser.post("/actions/stop", json=body, headers=headers).status_code == 403


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/static/x/../../../../../../etc/passwd",
            "/static/x/..%2f..%2f..%2f..%2fetc/passwd",
            "/static/x/%2e%2e/%2e%2e/app.py",
            "/static/x//etc/passwd",
            "/static/x/console.css%00.js",
            "/static/x/..\\..\\app.py",
        ],
    )
    def test_no_path_leads_to_another_file(self, shared: Shared, path: str) -> None:
        _, console = shared
        raw = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
        response = exchange(console, raw)
        assert response.split(b" ")[1] in (b"404", b"400")
        assert b"root:" not in response
        assert b"import" not in response

    @pytest.mark.parametrize("name", ["..", "../../etc/passwd", "%2e%2e", "a/b", "\0"])
    def test_no_command_is_a_path(self, shared: Shared, name: str) -> None:
        _, console = shared
        person = console.signed_in()
        assert person.act(name.replace("\0", "%00")).status_code in (404, 405)


class TestForeignText:
    """Watcher names, output, options and bodies of events are put into pages as text."""

    def test_in_a_page_it_is_escaped(self, start: Any, serve: Serve) -> None:
        daemon = start()
        console = serve(daemon.endpoint)
        person = console.signed_in()
        for name in (XSS, '" onmouseover="x', "{{7*7}}"):
            person.ok("add", name=name, cmd=f"sleep 1000 # {XSS}", start=True)
        assert "can not be shown" in person.act("add", name=ESCAPE, cmd="true").json()["reason"]
        until(lambda: "{{7*7}}" in person.browser.get("/").text)
        text = person.browser.get("/").text
        assert XSS not in text
        assert "&lt;script&gt;" in text
        assert '" onmouseover=' not in text
        assert ">49<" not in text
        assert ESCAPE not in console.text() + daemon.text()

    def test_in_the_feed_it_is_json_and_nothing_else(self, start: Any, serve: Serve) -> None:
        daemon = start()
        console = serve(daemon.endpoint)
        person = console.signed_in()
        until(lambda: "web" in person.browser.get("/").text)
        with live(console, person.cookie, console.base) as page:
            page.send(json.dumps({"topics": ["events"]}))
            person.ok("announce", name="web", event="hello", body={"text": XSS + ESCAPE})
            event = receive(page, "event")
            while not event["topic"].endswith(".hello"):
                event = receive(page, "event")
        assert event["body"]["text"] == XSS + ESCAPE

    def test_no_name_splits_a_header(self, shared: Shared) -> None:
        _, console = shared
        response = console.client().get("/%0d%0aset-cookie:%20x=y")
        assert "set-cookie" not in response.headers
        assert response.status_code in (303, 404)

    def test_every_answer_has_the_headers_that_keep_browsers_careful(self, shared: Shared) -> None:
        _, console = shared
        browser = console.signed_in().browser
        for path in ("/", "/sign-in", "/api", "/api/openapi.json", "/nothing", "/static/x/y"):
            headers = browser.get(path).headers
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"


class TestSmuggledIdentity:
    @pytest.mark.parametrize(
        "header", ["x-forwarded-user", "remote-user", "x-circus-person", "x-remote-user"]
    )
    def test_a_header_of_a_proxy_that_there_is_not(self, shared: Shared, header: str) -> None:
        _, console = shared
        response = console.client(**{header: "root"}).get("/")
        assert response.status_code == 303

    def test_a_header_without_the_secret_of_the_proxy(
        self, start: Any, serve: Serve, tmp_path: Any
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("the word of the proxy\n")
        secret.chmod(0o600)
        flags = ["--proxies", "127.0.0.1", "--proxy-header", "X-Forwarded-User"]
        daemon = start()
        console = serve(daemon.endpoint, flags=[*flags, "--proxy-secret", str(secret)])
        user = {"x-forwarded-user": "root"}
        for headers in (
            user,
            {**user, "x-circus-proxy-secret": ""},
            {**user, "x-circus-proxy-secret": "wrong"},
            {**user, "x-circus-proxy-secret": "the word of the proxy!"},
        ):
            assert console.client(**headers).get("/").status_code == 303
        told = {**user, "x-circus-proxy-secret": "the word of the proxy"}
        page = console.client(**told).get("/")
        assert page.status_code == 200
        assert person_on(page) == ("root", "viewer")
        raw = (
            b"GET / HTTP/1.1\r\nhost: localhost\r\n"
            b"x-forwarded-user: ann\r\nx-forwarded-user: root\r\n"
            b"x-circus-proxy-secret: the word of the proxy\r\nconnection: close\r\n\r\n"
        )
        assert exchange(console, raw).split(b" ")[1] == b"303"

    @pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
    def test_an_address_that_a_stranger_makes_up(
        self, start: Any, serve: Serve, header: str
    ) -> None:
        console = serve(start().endpoint)
        statuses = [
            console.client(**{header: f"10.0.0.{number}"})
            .post("/sign-in", data={"name": f"u{number}", "password": "wrong wrong"})
            .status_code
            for number in range(7)
        ]
        assert statuses == [403] * 5 + [429] * 2

    def test_a_host_that_a_stranger_makes_up(self, shared: Shared) -> None:
        _, console = shared
        headers = {"x-forwarded-host": "evil.example", "x-forwarded-prefix": "//evil.example"}
        response = console.client(**headers).get("/")
        assert response.headers["location"] == "/sign-in?next=%2F"


class TestFloods:
    def test_half_open_connections_keep_nobody_out(self, start: Any, serve: Serve) -> None:
        """Three thousand here; ``python -m tests.httpd.half_open`` opens ten thousand."""
        from tests.httpd.half_open import hold_half_open

        daemon = start()
        console = serve(daemon.endpoint)
        person = console.signed_in()
        with hold_half_open(console.port, 3000):
            assert person.browser.get("/").status_code == 200
            assert console.signed_in().ok("status")["statuses"]["web"] == "active"

    def test_a_request_that_does_not_end_is_ended(self, shared: Shared) -> None:
        _, console = shared
        with socket.create_connection(("127.0.0.1", console.port)) as slow:
            slow.settimeout(30)
            slow.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
            assert slow.recv(1) == b""

    def test_a_body_that_is_too_large(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        assert person.act("status", name="x" * (1 << 20)).status_code == 413
        raw = (
            f"POST /actions/status HTTP/1.1\r\nhost: localhost\r\ncookie: {person.cookie}\r\n"
            f"x-csrf-token: {person.word}\r\ncontent-type: application/json\r\n"
            "transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        ).encode()
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        assert exchange(console, raw + chunk * 17 + b"0\r\n\r\n").split(b" ")[1] == b"413"

    def test_a_header_that_is_too_large(self, shared: Shared) -> None:
        _, console = shared
        raw = b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"
        assert exchange(console, raw).split(b" ")[1] in (b"400", b"431")


def test_everything_is_audited_under_the_name_of_the_person(shared: Shared) -> None:
    daemon, console = shared
    console.signed_in("operator", "ann").ok("incr", name="web")
    console.signed_in("operator", "bea").ok("decr", name="web", waiting=True)
    console.signed_in("viewer", "vic").act("stop", name="web")
    assert "person 'ann' by user" in daemon.text()
    lines = [
        line for line in daemon.text().splitlines() if "person '" in line and "name=web" in line
    ]
    assert any("'bea'" in line and "decr name=web: ok" in line for line in lines)
    assert any("'vic'" in line and "stop name=web: refused" in line for line in lines)


def exchange(console: ConsoleProcess, raw: bytes) -> bytes:
    """Return the answer to bytes as they are."""
    with socket.create_connection(("127.0.0.1", console.port)) as connection:
        connection.settimeout(20)
        answer = b""
        try:
            connection.sendall(raw)
            while b"\r\n\r\n" not in answer and (piece := connection.recv(65536)):
                answer += piece
            connection.settimeout(1)
            while piece := connection.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionError):
            pass
        return answer


def receive(page: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(page.recv(timeout=20))
        if message["type"] == kind:
            return message
