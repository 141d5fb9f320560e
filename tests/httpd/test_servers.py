"""Where the console runs: under other ASGI servers, behind nginx, and only where that is safe."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.httpd.conftest import Serve
from tests.httpd.consoles import ConsoleProcess, person_on, word_of
from tests.httpd.test_security import live, receive
from tests.live.daemon import BIN, ROOT, free_port, until

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
SECRET = "the word of the proxy"
CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port};
        location /circus/ {{
            auth_basic "Restricted";
            auth_basic_user_file {folder}/htpasswd;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-User $remote_user;
            proxy_set_header X-Circus-Proxy-Secret "{secret}";
            proxy_set_header Authorization "";
            proxy_set_header Host $http_host;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_redirect off;
            proxy_pass http://127.0.0.1:{console}{path};
        }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, console: int, path: str) -> Iterator[str]:
    """Run nginx in front of a console, and return the address of the console there."""
    port = free_port()
    password = b64encode(hashlib.sha1(b"secret").digest()).decode()
    (folder / "htpasswd").write_text(f"ann:{{SHA}}{password}\nbob:{{SHA}}{password}\n")
    text = CONFIGURATION.format(folder=folder, port=port, console=console, path=path, secret=SECRET)
    (folder / "nginx.conf").write_text(text)
    folder.chmod(0o755)
    for parent in folder.parents:
        if Path(tempfile.gettempdir()) in parent.parents:
            parent.chmod(parent.stat().st_mode | 0o055)
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}/circus"
    finally:
        process.terminate()
        process.wait(30)


def listens(port: int) -> bool:
    """Tell whether anybody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(
    not os.path.exists(NGINX) and not os.environ.get("CI"), reason="nginx is not installed"
)
@pytest.mark.parametrize("path", ["/", ""], ids=["prefix cut off", "prefix kept"])
def test_behind_nginx_with_a_sub_path_and_basic_auth(
    start: Any, serve: Serve, tmp_path: Path, path: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    daemon = start()
    daemon.until_active("web", 2)
    console = serve(
        daemon.endpoint,
        flags=[
            *("--root-path", "/circus", "--proxies", "127.0.0.1"),
            *("--proxy-header", "X-Forwarded-User", "--proxy-secret", str(secret)),
            *("--proxy-role", "operator"),
        ],
    )
    with nginx(tmp_path, console.port, path) as address:
        assert httpx.get(f"{address}/").status_code == 401
        with httpx.Client(auth=("ann", "secret")) as browser:
            page = browser.get(f"{address}/")
            assert page.status_code == 200
            assert person_on(page) == ("ann", "operator")
            assert 'href="/circus/static/' in page.text
            assert 'name="circus-root" content="/circus"' in page.text
            style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
            assert style.startswith("/circus/static/")
            host = address.removesuffix("/circus")
            assert browser.get(host + style).headers["content-type"].startswith("text/css")
            assert browser.post(f"{address}/actions/incr", json={"name": "web"}).status_code == 403
            headers = {"x-csrf-token": word_of(page), "origin": host}
            act = browser.post(f"{address}/actions/incr", json={"name": "web"}, headers=headers)
            assert (act.status_code, act.json()["numprocesses"]) == (200, 3)
            foreign = {**headers, "origin": "https://evil.example"}
            act = browser.post(f"{address}/actions/incr", json={"name": "web"}, headers=foreign)
            assert act.status_code == 403
        basic = "Basic " + b64encode(b"bob:secret").decode()
        socket_address = address.replace("http", "ws") + "/live"
        with connect(
            socket_address,
            additional_headers={"authorization": basic},
            origin=Origin(host),
        ) as page_socket:
            assert "web" in receive(page_socket, "snapshot")["watchers"]
    assert "person 'ann' by user" in daemon.text()


@pytest.mark.parametrize("server", ["gunicorn", "hypercorn"])
def test_another_server_runs_it(start: Any, serve: Serve, server: str) -> None:
    daemon = start()
    daemon.until_active("web", 2)
    console = serve(daemon.endpoint, flags=["--server", server])
    person = console.signed_in()
    assert person.ok("incr", name="web")["numprocesses"] == 3
    with live(console, person.cookie, console.base) as page:
        until(lambda: "web" in receive(page, "snapshot")["watchers"])
    response = console.client(host="evil.example").get("/")
    assert response.status_code == 421
    headers = {"x-forwarded-for": "10.0.0.1", "x-forwarded-user": "root"}
    assert console.client(**headers).get("/").status_code == 303


def test_a_server_imports_the_application_by_its_name(start: Any, tmp_path: Path) -> None:
    daemon = start()
    port = free_port()
    settings = (
        f'{{"folder": "{tmp_path}", "port": {port}, '
        f'"daemons": [{{"endpoint": "{daemon.endpoint}"}}]}}'
    )
    process = subprocess.Popen(
        [BIN / "uvicorn", "--port", str(port), "cvec_circus_plugins.httpd.asgi:app"],
        cwd=ROOT,
        env={**os.environ, "CIRCUS_HTTPD": settings},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: listens(port))
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 303
    finally:
        process.terminate()
        process.wait(30)


def test_it_speaks_tls(start: Any, tmp_path: Path) -> None:
    certificate, key = tmp_path / "web.pem", tmp_path / "web.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    flags = ["--certfile", str(certificate), "--keyfile", str(key)]
    console = ConsoleProcess(start().endpoint, flags=flags, host="localhost")
    console.base = f"https://localhost:{console.port}"
    console.launch()
    try:
        until(lambda: listens(console.port))
        context = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=console.base, verify=context) as browser:
            response = browser.post("/sign-in", data={"link": console.new_link()})
            assert "; secure" in response.headers["set-cookie"].lower()
            page = browser.get("/")
            assert page.status_code == 200
            assert page.headers["strict-transport-security"].startswith("max-age=")
    finally:
        console.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "circus.example", "127.0.0.1.evil"])
def test_it_does_not_listen_to_other_machines_unless_told(tmp_path: Path, host: str) -> None:
    refused = circushttpd("--host", host, "--port", "0", "--folder", str(tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"circushttpd: the console does not listen at {host}, where other machines reach it: give "
        "httpd_certfile, or httpd_proxies, or say httpd_insecure = True\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--server", "nothing"], "no server is named 'nothing'"),
        (["--proxy-header", "X-User"], "httpd_proxy_header needs httpd_proxy_secret"),
        (["--keyfile", "x"], "httpd_keyfile needs httpd_certfile"),
        (["--root-path", "x"], "httpd_root_path must begin with one slash, not 'x'"),
        (["--fd", "9"], "descriptor 9 is no socket to listen at"),
        (["--certfile", "/nowhere"], "can not be used"),
        (["--endpoint", "tcp:/x"], "is no endpoint"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    port = str(free_port())
    refused = circushttpd("--port", port, "--folder", str(tmp_path / "kept"), *words)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("circushttpd: ")
    assert sentence in last


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = circushttpd("--port", port, "--host", "127.0.0.1", "--folder", str(tmp_path))
    assert refused.returncode == 1
    assert "address already in use" in refused.stderr


def circushttpd(*words: str) -> subprocess.CompletedProcess[str]:
    """Run circushttpd to its end."""
    return subprocess.run(
        [BIN / "circushttpd", *words], capture_output=True, text=True, timeout=30, cwd=ROOT
    )
