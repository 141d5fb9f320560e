"""What schemathesis leaves out when it drives all routes: the streams, which do not end, and quit.

Their inputs are generated from the same document, valid and invalid; of a stream, its beginning is
read, and then the connection is closed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from cvec_circus_core.model.access import Role
from cvec_circus_plugins.httpd.tokens import Tokens
from tests.httpd.conftest import Serve
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import Daemon, until

Shared = tuple[Daemon, ConsoleProcess]
STREAMS = {"/api/events": {}, "/api/output/{watcher}": {"watcher": "web"}}
LIMIT = 20.0

generated = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def program(shared: Shared) -> httpx.Client:
    """A program with a token, in front of a console that knows its daemon."""
    token = Tokens(shared[1].folder / "kept").add("generated", Role.VIEWER)
    client = httpx.Client(
        base_url=shared[1].base, timeout=LIMIT, headers={"authorization": f"Bearer {token}"}
    )
    until(lambda: client.post("/api/commands/status").status_code == 200)
    return client


def begin(client: httpx.Client, case: Any) -> tuple[int, str]:
    """Return the status of an answer, and what a stream begins with."""
    words = case.as_transport_kwargs(base_url=str(client.base_url).rstrip("/"))
    with client.stream("GET", words["url"], params=words.get("params")) as response:
        if response.status_code != 200:
            assert response.headers["content-type"] == "application/json"
            body = httpx.Response(200, content=response.read()).json()
            assert (body["status"], type(body["reason"])) == ("error", str)
            return response.status_code, ""
        assert response.headers["content-type"].startswith("text/event-stream")
        return 200, next(response.iter_lines())


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_answers_whatever_is_asked(
    program: httpx.Client, path: str, mode: GenerationMode
) -> None:
    document = program.get("/api/openapi.json").json()
    operation = schemathesis.openapi.from_dict(document)[path]["GET"]
    documented = {int(status) for status in document["paths"][path]["get"]["responses"]}
    seen: Counter[int] = Counter()

    @generated
    @given(case=operation.as_strategy(generation_mode=mode))
    def drive(case: Any) -> None:
        status, _ = begin(program, case)
        assert status in documented
        seen[status] += 1

    @generated
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=STREAMS[path]))
    def drive_what_is_there(case: Any) -> None:
        case.query.pop("daemon", None)
        status, first_line = begin(program, case)
        assert status in documented
        assert status != 200 or first_line.startswith((": following", "event: output"))
        seen[status] += 1

    drive()
    drive_what_is_there()
    assert sum(seen.values()) >= 20
    if mode is GenerationMode.POSITIVE:
        assert seen[200] > 0


def test_quit_takes_nothing_wrong_and_then_ends_the_daemon(start: Any, serve: Serve) -> None:
    daemon = start()
    console = serve(daemon.endpoint)
    tokens = Tokens(console.folder / "kept")
    viewer, operator = (
        console.client(authorization=f"Bearer {tokens.add(role.value, role)}")
        for role in (Role.VIEWER, Role.OPERATOR)
    )
    until(lambda: viewer.post("/api/commands/status").status_code == 200)
    for body in (b"x", b"[]", b'"quit"', b"null", b'{"waiting": "x"}', b'{"waiting": [1]}', b"{"):
        headers = {"content-type": "application/json"}
        response = operator.post("/api/commands/quit", content=body, headers=headers)
        assert response.status_code == 400, body
    assert operator.post("/api/commands/quit", data={"waiting": "1"}).status_code == 400
    assert operator.post("/api/commands/quit?daemon=other", json={}).status_code == 404
    assert operator.get("/api/commands/quit").status_code == 405
    assert viewer.post("/api/commands/quit", json={}).status_code == 403
    assert console.client().post("/api/commands/quit", json={}).status_code == 401
    daemon.until_active("web", 2)
    response = operator.post("/api/commands/quit", json={})
    assert (response.status_code, response.json()["status"]) == (200, "ok")
    until(lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode == 0
