"""A command of another package is first class: circusctl knows no command by name."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_cli import installed
from cvec_circus_core import api
from tests.cli.answering import Answering
from tests.cli.conftest import Said

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "command-package"
REPLY_KEYS = frozenset({"status", "options", "start", "processes", "numprocesses"})
"""Words that are keys of replies, beside being commands."""
OF_CIRCUS_TOP = "top"
"""circus-top is a console for the commands that its keys stand for."""

Run = Callable[..., Said]


class Ticks(api.Command):
    """Print a line per event, until interrupted."""

    name = "ticks"
    acts = False

    def follow(
        self,
        session: api.Session,
        arguments: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]],
    ) -> Iterator[api.Piece]:
        """Ask twice, and print what is said."""
        for count in range(2):
            reply = session.call(self.name, {"count": count})
            if reply["status"] == "error":
                raise api.Refused(reply)
            yield api.Piece({"tick": reply["tick"]}, f"tick {reply['tick']}\n".encode())
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have a package installed that brings two commands."""
    package = tmp_path / "circus_uptime-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: circus-uptime\nVersion: 1.0\n", encoding="utf-8")
    commands = f"uptime = circus_uptime:Uptime\nticks = {__name__}:Ticks\n"
    text = f"[{installed.GROUP}]\n{commands}"
    (package / "entry_points.txt").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer as a daemon that has the packages, too."""
    name = request["properties"].get("name")
    match request["command"]:
        case "list":
            return {"status": "ok", "watchers": ["web", "worker", "db"]}
        case "ticks":
            return {"status": "ok", "tick": request["properties"]["count"]}
    rows = [{"name": name or "web", "wid": 1, "pid": 7, "age": 90.0}]
    unit = request["properties"].get("unit", "seconds")
    return {"status": "ok", "processes": rows, "unit": unit}


@pytest.fixture
def there(daemon: Callable[..., Answering]) -> Answering:
    """Return what answers."""
    return daemon(answer)


@pytest.mark.parametrize(
    ("words", "is_terminal", "out"),
    [
        ("uptime", False, "web 1 7: 90.0 seconds\n"),
        ("uptime --unit minutes db", False, "db 1 7: 1.5 minutes\n"),
        ("uptime w*", False, "web 1 7: 90.0 seconds\nworker 1 7: 90.0 seconds\n"),
        ("uptime", True, "NAME  WID  PID  AGE (SECONDS)\nweb     1    7           90.0\n"),
        (
            "uptime w* db",
            True,
            "NAME    WID  PID  AGE (SECONDS)\n"
            "web       1    7           90.0\n"
            "worker    1    7           90.0\n"
            "db        1    7           90.0\n",
        ),
    ],
)
def test_plain_in_a_pipe_and_a_table_on_a_terminal(
    circusctl: Run,
    there: Answering,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    is_terminal: bool,
    out: str,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    said = circusctl("--no-color", "--endpoint", there.endpoint, *words.split())
    assert said == Said(0, out, "")


def test_json(circusctl: Run, there: Answering) -> None:
    said = circusctl("--json", "--endpoint", there.endpoint, "uptime", "w*")
    assert {name: reply["processes"][0]["pid"] for name, reply in json.loads(said.out).items()} == {
        "web": 7,
        "worker": 7,
    }


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("uptime w", ["web", "worker"]),
        ("uptime web d", ["db"]),
        ("uptime --unit ", ["hours", "minutes", "seconds"]),
        ("uptime --", ["--unit"]),
        ("upt", ["uptime"]),
    ],
)
def test_completion(circusctl: Run, there: Answering, line: str, candidates: Sequence[str]) -> None:
    said = circusctl("complete", f"circusctl --endpoint {there.endpoint} {line}")
    assert said.out.split() == candidates


@pytest.mark.parametrize(
    ("switches", "out"), [((), "tick 0\ntick 1\n"), (("--json",), '{"tick": 0}\n{"tick": 1}\n')]
)
def test_it_may_go_on_until_interrupted(
    there: Answering,
    capfdbinary: pytest.CaptureFixture[bytes],
    switches: Sequence[str],
    out: str,
) -> None:
    from cvec_circus_cli.circusctl import main

    code = main([*switches, "--endpoint", there.endpoint, "ticks"])
    assert (code, capfdbinary.readouterr().out.decode()) == (0, out)


def test_a_refusal_ends_it(circusctl: Run, daemon: Callable[..., Answering]) -> None:
    there = daemon({"ticks": {"status": "error", "reason": "no clock"}})
    assert circusctl("--endpoint", there.endpoint, "ticks") == Said(3, "", "error: no clock\n")


def named_commands(source: str, names: frozenset[str]) -> list[str]:
    """Return the commands that a module names, where that is no key of a reply."""
    tree = ast.parse(source)
    keys = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(slice=key):
                keys.add(key)
            case ast.Dict(keys=members):
                keys.update(members)
            case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[key, *_]):
                keys.add(key)
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()]):
                keys.add(key)
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names
        if not (node in keys and node.value in REPLY_KEYS)
    ]


def test_the_command_line_names_no_command() -> None:
    names = frozenset(
        point.name for point in installed.metadata.entry_points(group=installed.GROUP)
    )
    assert {"status", "tail", "quit"} <= names
    named = {
        str(path.relative_to(ROOT)): commands
        for path in (ROOT / "cvec_circus_cli").rglob("*.py")
        if path.parent.name != OF_CIRCUS_TOP
        and (commands := named_commands(path.read_text(encoding="utf-8"), names))
    }
    assert named == {}


@pytest.mark.parametrize(
    "source",
    [
        'if command.name == "tail": pass',
        'client.call("status", {})',
        'TABLES = {"list": rows}',
        'match name:\n    case "quit": pass',
    ],
)
def test_a_named_command_is_seen(source: str) -> None:
    assert named_commands(source, frozenset({"tail", "status", "list", "quit"}))


@pytest.mark.parametrize("source", ['reply["status"]', 'reply.get("options")', '{"status": "ok"}'])
def test_a_key_of_a_reply_is_no_command(source: str) -> None:
    assert not named_commands(source, frozenset({"status", "options"}))
