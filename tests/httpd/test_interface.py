"""The HTTP interface: commands, the OpenAPI document, events and output as streams."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.model.access import Role
from cvec_circus_plugins.httpd.openapi import document_of
from cvec_circus_plugins.httpd.tokens import Tokens
from tests.httpd.conftest import Serve
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import BIN, Daemon, until

Shared = tuple[Daemon, ConsoleProcess]
Event = tuple[str, dict[str, Any]]


def program(console: ConsoleProcess, role: str = "operator") -> httpx.Client:
    """Return a client with a new token."""
    tokens = Tokens(console.folder / "kept")
    token = tokens.add(f"t{len(tokens.infos())}", Role(role))
    return console.client(authorization=f"Bearer {token}")


class Stream:
    """Server-sent events of one response."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def until_following(self) -> list[Event]:
        """Return what comes before what is new."""
        events: list[Event] = []
        name = ""
        for line in self._lines:
            if line == ": following":
                return events
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
        raise AssertionError("the stream has ended")

    def next(self) -> Event:
        """Return the next event."""
        name = ""
        for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream has ended")


@contextmanager
def streaming(client: httpx.Client, path: str, **params: Any) -> Iterator[Stream]:
    """Follow a stream."""
    with client.stream("GET", path, params=params) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


class TestDocument:
    def test_it_is_valid_and_holds_every_command(self, shared: Shared) -> None:
        _, console = shared
        document = program(console).get("/api/openapi.json").json()
        validate(document)
        assert document["openapi"] == "3.1.0"
        names = {path.removeprefix("/api/commands/") for path in document["paths"]}
        assert set(load_commands()) <= names

    def test_a_command_of_another_package_stands_in_it(self) -> None:
        from cvec_circus_core.extend.command import Command
        from cvec_circus_core.extend.request import REQUIRED, Request, prop

        class HelloRequest(Request):
            count: int = prop(REQUIRED, "how often")

        class Hello(Command):
            """Say hello."""

            name = "hello"
            request = HelloRequest

        document = document_of({"hello": Hello()}, "/circus")
        validate(document)
        operation = document["paths"]["/api/commands/hello"]["post"]
        assert operation["summary"] == "Say hello"
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["count"] == {"type": "integer", "description": "how often"}
        assert schema["required"] == ["count"]
        assert document["servers"] == [{"url": "/circus"}]

    def test_its_page_is_for_those_who_are_signed_in(self, shared: Shared) -> None:
        _, console = shared
        assert console.client().get("/api").status_code == 303
        assert console.client().get("/api/openapi.json").status_code == 401
        text = console.signed_in("viewer", "vic").browser.get("/api").text
        assert "POST /api/commands/restart" in text
        assert "answer when it is done" in text


class TestCommands:
    def test_they_answer_what_the_control_channel_answers(self, shared: Shared) -> None:
        daemon, console = shared
        with program(console) as client:
            for command, properties in (
                ("status", {"name": "web", "long": True}),
                ("options", {"name": "web"}),
                ("numprocesses", {"name": "web"}),
                ("listpids", {"name": "web"}),
            ):
                reply = client.post(f"/api/commands/{command}", json=properties).json()
                expected = daemon.call(command, **properties)
                expected.pop("id", None)
                assert {**reply, "time": 0} == {**expected, "time": 0}

    @pytest.mark.parametrize(
        ("command", "properties", "status", "errno"),
        [
            ("status", {"name": "nobody"}, 400, 3),
            ("incr", {}, 400, 3),
            ("incr", {"name": "web", "nb": "two"}, 400, 3),
            ("add", {"name": "web", "cmd": "true"}, 409, 5),
            ("nothing", {}, 404, 404),
        ],
    )
    def test_errors_are_those_of_the_control_channel(
        self, shared: Shared, command: str, properties: dict[str, Any], status: int, errno: int
    ) -> None:
        daemon, console = shared
        response = program(console).post(f"/api/commands/{command}", json=properties)
        body = response.json()
        assert (response.status_code, body["status"], body["errno"]) == (status, "error", errno)
        if status != 404:
            assert body["reason"] == daemon.refused(command, **properties)[1]

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"x", "application/json"),
            (b"[]", "application/json"),
            (b'{"a": NaN}', "application/json"),
            (b"[" * 100_000, "application/json"),
            (b"\xff\xfe", "application/json"),
            (b"{}", "text/plain"),
        ],
    )
    def test_a_body_that_is_no_object_is_refused(
        self, shared: Shared, body: bytes, kind: str
    ) -> None:
        _, console = shared
        headers = {"content-type": kind}
        response = program(console).post("/api/commands/status", content=body, headers=headers)
        assert response.status_code == 400
        assert response.json()["reason"].startswith("the body")

    def test_a_daemon_that_is_not_known(self, shared: Shared) -> None:
        _, console = shared
        with program(console) as client:
            assert client.post("/api/commands/status?daemon=x").status_code == 404
            assert client.get("/api/events?daemon=x").status_code == 404

    def test_a_program_needs_no_word_but_a_token(self, shared: Shared) -> None:
        _, console = shared
        assert console.client().post("/api/commands/status").status_code == 401
        assert program(console).post("/api/commands/status").status_code == 200

    def test_a_viewers_token_may_not_act(self, shared: Shared) -> None:
        daemon, console = shared
        with program(console, "viewer") as client:
            assert client.post("/api/commands/stop", json={"name": "web"}).status_code == 403
            assert client.post("/api/commands/status").status_code == 200
        assert daemon.status("web")["status"] == "active"


class TestEvents:
    def test_they_come_as_they_happen(self, shared: Shared) -> None:
        daemon, console = shared
        with program(console, "viewer") as client, streaming(client, "/api/events") as stream:
            stream.until_following()
            daemon.ok("announce", name="web", event="hello", body={"n": 1})
            name, event = stream.next()
            while not event["topic"].endswith(".hello"):
                name, event = stream.next()
        assert name == "event"
        assert (event["topic"], event["body"]["n"]) == ("watcher.web.hello", 1)

    def test_only_the_topics_that_are_wanted(self, shared: Shared) -> None:
        daemon, console = shared
        with (
            program(console) as client,
            streaming(client, "/api/events", topic=["watcher.web.second"]) as stream,
        ):
            stream.until_following()
            for event in ("first", "second"):
                daemon.ok("announce", name="web", event=event, body={})
            assert stream.next()[1]["topic"] == "watcher.web.second"


class TestOutput:
    COUNTER = (
        "[watcher:counter]\nready = spawned\n"
        "cmd = sh -c 'n=0; while sleep 0.05; do n=$((n+1)); echo out $n; echo err $n >&2; done'\n"
    )

    def test_every_line_comes_once_and_in_order(self, start: Any, serve: Serve) -> None:
        daemon = start(self.COUNTER)
        console = serve(daemon.endpoint)
        until(lambda: b"out 5" in json.dumps(daemon.ok("tail", name="counter")).encode())
        with (
            program(console, "viewer") as client,
            streaming(client, "/api/output/counter", lines=3, channel="stdout") as stream,
        ):
            text = "".join(entry["data"] for _, entry in stream.until_following())
            while text.count("\n") < 30:
                text += stream.next()[1]["data"]
        numbers = [int(line.removeprefix("out ")) for line in text.splitlines()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    def test_both_channels_come_unless_one_is_named(self, start: Any, serve: Serve) -> None:
        console = serve(start(self.COUNTER).endpoint)
        with program(console) as client, streaming(client, "/api/output/counter") as stream:
            stream.until_following()
            channels = {stream.next()[1]["channel"] for _ in range(10)}
        assert channels == {"stdout", "stderr"}

    @pytest.mark.parametrize(
        "query", ["channel=x", "lines=x", "lines=-1", "lines=10001", "lines=²"]
    )
    def test_a_wrong_query_is_refused(self, shared: Shared, query: str) -> None:
        _, console = shared
        assert program(console).get(f"/api/output/web?{query}").status_code == 400

    def test_a_watcher_that_is_not_there(self, shared: Shared) -> None:
        _, console = shared
        response = program(console).get("/api/output/nobody")
        assert response.status_code == 400
        assert response.json()["reason"] == "program nobody not found"


def test_schemathesis_drives_every_route(start: Any, serve: Serve, tmp_path: Path) -> None:
    """Valid and invalid input for every route; a command that ends the daemon is left out."""
    daemon = start()
    daemon.until_active("web", 2)
    console = serve(daemon.endpoint)
    tokens = Tokens(console.folder / "kept")
    token = tokens.add("fuzz", Role.OPERATOR)
    driven = subprocess.run(
        [
            *(str(BIN / "schemathesis"), "run", f"{console.base}/api/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--url", console.base),
            # Streams do not end, and quit ends what is tested.
            *(
                "--exclude-path-regex",
                "/api/(events|output)",
                "--exclude-operation-id",
                "command_quit",
            ),
            *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "5", "--request-timeout", "20", "--seed", "1", "--no-color"),
            *("--suppress-health-check", "all", "--max-failures", "20"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=270,
    )
    assert driven.returncode == 0, driven.stdout[-6000:] + driven.stderr[-2000:]
    counts = re.search(r"(\d+) generated, (\d+) passed", driven.stdout)
    assert counts is not None, driven.stdout[-3000:]
    assert counts[1] == counts[2]
    assert int(counts[1]) > 500
    daemon.ok("status")


CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,ignored_auth"
)


def test_the_interface_of_a_daemon_that_is_gone_says_so(start: Any, serve: Serve) -> None:
    daemon = start()
    console = serve(daemon.endpoint)
    client = program(console)
    until(lambda: client.post("/api/commands/status").status_code == 200)
    daemon.stop()
    until(
        lambda: not next(iter(client.get("/api/daemons").json()["daemons"].values()))["connected"]
    )
    response = client.post("/api/commands/status")
    assert response.status_code == 504
    assert "circus" in response.json()["reason"] or "ipc" in response.json()["reason"]
