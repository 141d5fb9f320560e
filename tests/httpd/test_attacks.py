"""More that must not be possible: what comes slowly, too large, misspelt, or leads elsewhere."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.httpd.conftest import Serve
from tests.httpd.consoles import ConsoleProcess, Person
from tests.httpd.test_security import exchange, live
from tests.live.daemon import Daemon, until

Shared = tuple[Daemon, ConsoleProcess]


class TestWebSocket:
    def test_a_frame_that_is_too_large_ends_only_its_own_page(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        with live(console, person.cookie, console.base) as other:
            other.recv(timeout=10)
            with live(console, person.cookie, console.base) as page:
                page.send("x" * (1 << 20))
                until(lambda: has_ended(page))
                assert page.protocol.close_code == 1009
            assert other.ping().wait(10)


class TestPaths:
    @pytest.mark.parametrize(
        "query",
        [
            "download/web?channel=../../../../etc/passwd",
            "download/web?channel=stdin",
            "download/..%2f..%2fetc%2fpasswd?channel=stdout",
            "older/web?channel=/etc/passwd",
            "older/web?channel=stdout&cursor=1-99999999999999999999",
            "older/web?channel=stdout&cursor=../x&skip=99999999999999999999999",
            "older/web?channel=stdout&first=%00%ff&skip=-1",
        ],
    )
    def test_no_query_leads_to_another_file(self, shared: Shared, query: str) -> None:
        _, console = shared
        person = console.signed_in()
        act, _, rest = query.partition("/")
        response = person.browser.get(f"/watchers/{key_of(person)}/{act}/{rest}")
        assert response.status_code in (404, 409)
        assert "root:" not in response.text

    def test_a_file_that_was_led_elsewhere_is_not_sent(
        self, start: Any, serve: Serve, tmp_path: Path
    ) -> None:
        folder = tmp_path / "logs"
        folder.mkdir()
        stream = f"stdout_stream.class = FileStream\nstdout_stream.filename = {folder}/log\n"
        daemon = start(f"[watcher:web]\ncmd = sh -c 'echo hello; sleep 1000'\n{stream}")
        until((folder / "log").exists)
        person = serve(daemon.endpoint).signed_in()
        until(lambda: "web" in person.browser.get("/").text)
        address = f"/watchers/{key_of(person)}/download/web?channel=stdout"
        until(lambda: person.browser.get(address).text == "hello\n")
        (tmp_path / "secret").write_text("root: secret")
        stranger = 65534
        os.chown(folder, stranger, stranger)
        (folder / "log").unlink()
        (folder / "log").symlink_to(tmp_path / "secret")
        os.chown(folder / "log", stranger, stranger, follow_symlinks=False)
        for act in ("download", "older"):
            response = person.browser.get(address.replace("download", act))
            assert response.status_code == 409, response.text
            assert "secret" not in response.text.replace(str(tmp_path), "")


class TestSmuggledIdentity:
    def test_the_header_of_a_proxy_in_another_spelling(
        self, start: Any, serve: Serve, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("the word of the proxy\n")
        secret.chmod(0o600)
        flags = ["--proxies", "127.0.0.1", "--proxy-header", "X-Forwarded-User"]
        console = serve(start().endpoint, flags=[*flags, "--proxy-secret", str(secret)])
        word = "X-Circus-Proxy-Secret: the word of the proxy"
        for lines in (
            f"X_Forwarded_User: root\r\n{word}",
            f"X-Forwarded_User: root\r\n{word}",
            f"X-Forwarded-User : root\r\n{word}",
            f"X-Forwarded-User: root\r\n{word.replace('-', '_')}",
            f"X-Forwarded-User: root\r\n{word}\r\n{word}",
            f"X-Forwarded-User: \r\n{word}",
            "X-Forwarded-User: root\r\nX-Circus-Proxy-Secret:",
        ):
            raw = f"GET / HTTP/1.1\r\nhost: localhost\r\n{lines}\r\nconnection: close\r\n\r\n"
            assert exchange(console, raw.encode()).split(b" ")[1] in (b"303", b"400"), lines

    @pytest.mark.parametrize("header", ["x_forwarded_user", "x_remote_user", "authorization-user"])
    def test_a_header_of_no_proxy(self, shared: Shared, header: str) -> None:
        _, console = shared
        assert console.client(**{header: "root"}).get("/").status_code == 303


class TestFloods:
    def test_a_body_that_comes_letter_by_letter_is_ended(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        with socket.create_connection(("127.0.0.1", console.port)) as slow:
            slow.settimeout(0.5)
            slow.sendall(
                f"POST /actions/status HTTP/1.1\r\nhost: localhost\r\ncookie: {person.cookie}\r\n"
                f"x-csrf-token: {person.word}\r\ncontent-type: application/json\r\n"
                "content-length: 1000000\r\n\r\n{".encode()
            )
            assert is_ended(slow, b" ", 60)

    def test_a_length_that_is_told_twice(self, shared: Shared) -> None:
        _, console = shared
        head = b"POST /sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n"
        smuggled = b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n"
        for lines in (
            b"content-length: 5\r\n",
            b"transfer-encoding: xchunked\r\n",
            b"transfer-encoding: chunked, identity\r\n",
            b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ):
            answer = exchange(console, head + lines + b"\r\n0\r\n\r\n" + smuggled)
            assert answer.count(b"HTTP/1.1 ") == 1
            assert answer.split(b" ")[1] in (b"400", b"501"), answer


def test_no_secret_stands_in_the_log(start: Any, serve: Serve) -> None:
    daemon = start()
    console = serve(daemon.endpoint, flags=["--log-level", "debug"])
    printed = console.text()
    link, token = console.new_link(), "circus_" + "T" * 43
    browser = console.client()
    browser.get("/sign-in", params={"link": link})
    browser.post("/sign-in", data={"link": link})
    browser.get("/", params={"token": token, "password": "hunter2hunter2"})
    console.client(authorization=f"Bearer {token}").get("/api/daemons")
    browser.post("/sign-in", data={"name": "ann", "password": "hunter2hunter2"})
    browser.post("/sign-in", data={"token": token})
    written = console.text().removeprefix(printed) + daemon.text()
    assert "a sign-in of 'ann' from '127.0.0.1' failed" in written
    for secret in (link, token, "hunter2", *browser.cookies.values()):
        assert secret not in written


def key_of(person: Person) -> str:
    """Return what the daemon is called in addresses."""
    keys: list[str] = list(person.browser.get("/api/daemons").json()["daemons"])
    return keys[0]


def has_ended(page: ClientConnection) -> bool:
    """Tell whether the other side has closed a page's WebSocket, after what it still sends."""
    try:
        page.recv(timeout=0.1)
    except ConnectionClosed:
        return True
    except TimeoutError:
        pass
    return False


def is_ended(connection: socket.socket, drip: bytes, seconds: float) -> bool:
    """Tell whether a connection is ended though it goes on saying a little."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            connection.sendall(drip)
            if connection.recv(1000) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False
