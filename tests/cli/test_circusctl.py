"""circusctl against something that answers: what is sent, what is printed, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_cli import exit_codes
from tests.cli.answering import Answering
from tests.cli.conftest import Said

Run = Callable[..., Said]
Daemon = Callable[..., Answering]

OK = {"status": "ok"}
NOT_FOUND = {
    "status": "error",
    "reason": "program nope not found",
    "errno": 3,
    "tb": None,
}


def test_a_result_is_printed_plainly(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"numprocesses": {**OK, "numprocesses": 3, "watcher_name": "web"}})
    said = circusctl("--endpoint", there.endpoint, "numprocesses", "web")
    assert said == Said(exit_codes.OK, "3\n", "")
    assert there.asked == [("numprocesses", {"name": "web"})]


def test_the_name_of_a_command_has_no_case(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"list": {**OK, "watchers": ["a", "b"]}})
    assert circusctl("--endpoint", there.endpoint, "LIST") == Said(0, "a,b\n", "")


def test_the_endpoint_may_stand_in_the_environment(
    circusctl: Run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = daemon({"quit": OK})
    monkeypatch.setenv("CIRCUSCTL_ENDPOINT", there.endpoint)
    assert circusctl("quit") == Said(0, "ok\n", "")


def test_options_may_come_after_the_command_too(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"status": {"status": "active", "running": 1}})
    said = circusctl("status", "web", "--json", f"--endpoint={there.endpoint}")
    assert json.loads(said.out)["status"] == "active"
    assert there.asked == [("status", {"name": "web"})]


@pytest.mark.parametrize("option", ["--json", "--prettify"])
def test_json_is_the_whole_reply(circusctl: Run, daemon: Daemon, option: str) -> None:
    there = daemon({"list": {**OK, "pids": [1, 2], "id": None}})
    said = circusctl(option, "--endpoint", there.endpoint, "--timeout", "0.2", "list", "web")
    assert said.code == exit_codes.NO_ANSWER  # the reply had no id of ours
    there = daemon({"list": {**OK, "pids": [1, 2]}})
    said = circusctl(option, "--endpoint", there.endpoint, "list", "web")
    reply = json.loads(said.out)
    assert {key: reply[key] for key in ("status", "pids")} == {"status": "ok", "pids": [1, 2]}
    assert (said.out.count("\n") == 1) is (option == "--json")


def test_a_refusal_is_told_and_ends_with_3(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"stop": NOT_FOUND, "list": {**OK, "watchers": ["web"]}})
    said = circusctl("--endpoint", there.endpoint, "stop", "nope")
    assert said == Said(exit_codes.REFUSED, "", "error: no watcher is named 'nope'\n")


def test_a_refusal_ends_with_3_as_json_too(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"stop": NOT_FOUND})
    said = circusctl("--json", "--endpoint", there.endpoint, "stop", "nope")
    assert (said.code, said.err) == (exit_codes.REFUSED, "")
    assert json.loads(said.out)["reason"] == "program nope not found"


def test_a_request_is_sent_for_each_name(circusctl: Run, daemon: Daemon) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if request["command"] == "list":
            return {**OK, "watchers": ["a"]}
        return NOT_FOUND if request["properties"]["name"] == "nope" else OK

    there = daemon(answer)
    said = circusctl("--endpoint", there.endpoint, "stop", "a", "nope", "w*")
    assert said == Said(
        exit_codes.REFUSED, "a: ok\nw*: ok\n", "error: no watcher is named 'nope'\n"
    )
    stops = [properties for command, properties in there.asked if command == "stop"]
    assert stops == [{"name": name} for name in ("a", "nope", "w*")]


def test_nobody_listens(circusctl: Run, tmp_path: Path) -> None:
    where = ("--endpoint", f"ipc://{tmp_path}/none")
    said = circusctl(*where, "--timeout", "60", "list")
    assert (said.code, said.out) == (exit_codes.NO_ANSWER, "")
    assert said.err.startswith("circusctl: nothing listens at ipc://")
    assert "--endpoint" in said.err
    assert "--wait-for-daemon" in said.err
    said = circusctl(*where, "--wait-for-daemon", "--timeout", "0.1", "list")
    assert said.code == exit_codes.NO_ANSWER
    assert "timed out: nothing listens at ipc://" in said.err


def test_nobody_answers(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"list": None})
    said = circusctl("--endpoint", there.endpoint, "--timeout", "0.1", "list")
    assert (said.code, said.out) == (exit_codes.NO_ANSWER, "")
    assert f"timed out: no answer from {there.endpoint} in 0.1 s" in said.err
    assert "--timeout" in said.err


def test_a_reply_to_somebody_else_is_no_answer(circusctl: Run, daemon: Daemon) -> None:
    alien = {**OK, "watchers": ["alien"], "id": "alien"}
    there = daemon({"list": [alien, alien, {**OK, "watchers": ["ours"]}]})
    assert circusctl("--endpoint", there.endpoint, "list") == Said(0, "ours\n", "")


def test_it_is_still_running_when_the_time_is_over(circusctl: Run, daemon: Daemon) -> None:
    there = daemon({"stop": None, "status": {"status": "stopping", "running": 1, "wanted": 0}})
    said = circusctl("--endpoint", there.endpoint, "--timeout", "0.2", "stop", "web", "--waiting")
    assert (said.code, said.out) == (exit_codes.STILL_RUNNING, "")
    assert said.err == (
        "timed out: stop of web is still running after 0.2 s; the daemon goes on with it: "
        "look with status, or wait longer with --timeout\n"
    )
    assert there.asked == [("stop", {"name": "web", "waiting": True}), ("status", {"name": "web"})]


def test_who_waits_needs_no_timeout(
    circusctl: Run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stop is answered when the status has been asked for twice.
    monkeypatch.setattr("cvec_circus_cli.requests.DEFAULT_TIMEOUT", 0.5)
    monkeypatch.setattr("cvec_circus_cli.requests.LOOK_EVERY", 0.3)
    monkeypatch.setattr("cvec_circus_cli.requests.PROBE_EVERY", 0.3)
    pending: list[str] = []

    def answer(request: dict[str, Any]) -> Any:
        pending.append(request["id"])
        if request["command"] == "stop":
            return None
        status = {"status": "stopping"}
        return [status, {**OK, "id": pending[0]}] if len(pending) == 3 else status

    there = daemon(answer)
    said = circusctl("--endpoint", there.endpoint, "stop", "web", "--waiting")
    assert said == Said(0, "ok\n", "")
    assert [command for command, _ in there.asked] == ["stop", "status", "status"]


@pytest.mark.parametrize(
    ("command", "code"), [("quit", exit_codes.OK), ("stop", exit_codes.NO_ANSWER)]
)
def test_the_daemon_ends_while_it_is_waited_for(
    circusctl: Run, monkeypatch: pytest.MonkeyPatch, daemon: Daemon, command: str, code: int
) -> None:
    monkeypatch.setattr("cvec_circus_cli.requests.LOOK_EVERY", 0.1)
    with Answering(lambda request: there.end_soon()) as there:
        said = circusctl("--endpoint", there.endpoint, command, "--waiting")
    assert said.code == code
    assert ("the connection broke before stop was done" in said.err) is (command == "stop")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense",), "unknown command: 'nonsense'\n"),
        (("statsu",), "unknown command: 'statsu'; did you mean stats or status or dstats?\n"),
        (("_wishes",), "unknown command: '_wishes'"),
        (("--jsn", "list"), "there is no option --jsn"),
        (("--timeout", "soon", "list"), "--timeout is a number of seconds, not 'soon'"),
        (("--timeout", "0", "list"), "--timeout is a number of seconds, not '0'"),
        (("--endpoint",), "--endpoint needs a value"),
        (
            ("--endpoint", "foo", "list"),
            "circusctl: --endpoint is an address like tcp://127.0.0.1:5555 or "
            "ipc:///run/circus.sock, not 'foo'",
        ),
        (("list", "--endpoint=tcp://here"), "--endpoint is an address like tcp://127.0.0.1:5555"),
        (("--endpoint=tcp://here:70000", "list"), "--endpoint is an address like"),
        (("--endpoint=ipc://", "list"), "--endpoint is an address like"),
        (("listen", "udp://here:1"), "ENDPOINT is an address like tcp://127.0.0.1:5555"),
        (("--json=yes", "list"), "--json takes no value"),
        (("kill",), "NAME is missing\nusage: circusctl kill "),
        (("set", "web", "max_age", "old"), "max_age isn't a number: 'old'"),
        (("help", "nonsense"), "unknown command: 'nonsense'"),
        (("completion", "csh"), "usage: circusctl completion bash|zsh|fish"),
    ],
)
def test_what_is_not_understood_ends_with_2(
    circusctl: Run, words: tuple[str, ...], said: str
) -> None:
    ended = circusctl(*words)
    assert (ended.code, ended.out) == (exit_codes.USAGE, "")
    assert said in ended.err


def test_no_endpoint_in_the_environment(circusctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCUSCTL_ENDPOINT", "foo")
    said = circusctl("list")
    assert (said.code, said.out) == (exit_codes.USAGE, "")
    assert said.err.startswith("circusctl: $CIRCUSCTL_ENDPOINT is an address like tcp://")
    assert circusctl("complete", "circusctl stop w") == Said(0, "", "")


def test_version(circusctl: Run) -> None:
    assert circusctl("--version") == Said(0, f"circusctl {version('cvec-circus')}\n", "")


def test_the_list_of_commands_names_them_all(circusctl: Run) -> None:
    said = circusctl("--help")
    assert said.code == 0
    for line in ("stop           Stop a watcher, several, or all", "--endpoint", "completion"):
        assert line in said.out
    assert "broken" not in said.out
    assert circusctl("help") == circusctl("-h") == said


@pytest.mark.parametrize("words", [("--help", "kill"), ("help", "kill"), ("kill", "--help")])
def test_the_manual_of_a_command(circusctl: Run, words: tuple[str, ...]) -> None:
    said = circusctl(*words)
    assert said.code == 0
    for part in (
        "usage: circusctl kill [--waiting]",
        "Stop one process of a watcher, or all; the watcher replaces them.",
        '{"command": "kill",',
        "NAME  watcher, or a pattern such as 'web*'\n",
        "--signum SIGNUM",
    ):
        assert part in said.out


def test_waiting_is_told_by_both_names(circusctl: Run) -> None:
    assert "  --wait, --waiting  " in circusctl("help", "stop").out
    assert "take --wait (or --waiting)" in circusctl("--help").out
    assert "  -n, --lines LINES  " in circusctl("help", "tail").out


def test_an_interrupt_ends_with_1(circusctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cvec_circus_cli.requests.Connection.call", interrupted)
    assert circusctl("list") == Said(exit_codes.NO_ANSWER, "", "interrupted\n")


def test_progress_is_told_on_a_terminal(
    circusctl: Run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    starting = {"status": "starting", "running": 1, "wanted": 3}
    there = daemon({"start": None, "status": starting})
    said = circusctl("--endpoint", there.endpoint, "--timeout", "0.2", "start", "web", "--waiting")
    assert said.code == exit_codes.STILL_RUNNING
    line = "\r\x1b[Kwaiting for start of web: 0 s, starting, 1 of 3 processes\r\x1b[K"
    assert said.err.startswith(line)
