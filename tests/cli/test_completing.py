"""What may come next: for the interactive shell, bash, zsh and fish."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_cli.completion import SHELLS, candidates, split
from cvec_circus_cli.settings import Settings
from tests.cli.answering import Answering
from tests.cli.conftest import Said

ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("list", ""): {"watchers": ["web", "db", "a b"]},
    ("list", "web"): {"pids": [101, 102], "processes": [1, 2]},
    ("listsockets", ""): {"sockets": [{"fd": 7, "name": "front"}]},
    ("options", "web"): {"options": {"cmd": "x", "copy_env": True, "uid": None}},
}


def ask(command: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Answer like a daemon with three watchers."""
    return ANSWERS.get((command, properties.get("name", "")), {})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("restar", ["restart"]),
        ("rel", ["reload", "reloadconfig"]),
        ("comp", ["completion"]),
        ("--js", ["--json"]),
        ("stop ", ["a b", "db", "web"]),
        ("stop w", ["web"]),
        ("stop web d", ["db"]),
        ("stop --", ["--match", "--waiting"]),
        ("stop --match ", ["glob", "regex", "simple"]),
        ("stop --waiting d", ["db"]),
        ("stop --wait", ["--waiting"]),
        ("stop --js", ["--json"]),
        ("stop --match=gl", ["--match=glob"]),
        ("stop --waiting=", []),
        ("stop --nonsense ", []),
        ("stop --timeout ", []),
        ("stop -- --", []),
        ("kill --timeout 5 web ", ["101", "102"]),
        ("tail -n 5 d", ["db"]),
        ("tail --lines=5 d", ["db"]),
        ("kill web ", ["101", "102"]),
        ("kill web --signum HU", ["HUP"]),
        ("signal web 10", ["101", "102"]),
        ("signal web US", ["USR1", "USR2"]),
        ("stats web 102", ["102"]),
        ("get web c", ["cmd", "copy_env"]),
        ("get web cmd c", ["cmd", "copy_env"]),
        ("set web c", ["cmd", "copy_env"]),
        ("set web cmd ", []),
        ("set web cmd x u", ["uid"]),
        ("add ", []),
        ("add x y --option numpro", ["numprocesses="]),
        ("addsocket ", []),
        ("addsocket new hos", ["host="]),
        ("rmsocket ", ["front"]),
        ("globaloptions endp", ["endpoint", "endpoint_owner"]),
        ("listen ", ["watcher.a_b.", "watcher.db.", "watcher.web."]),
        ("help sto", ["stop"]),
        ("help stop ", []),
        ("completion ", ["bash", "fish", "zsh"]),
        ("keyg", ["keygen"]),
        ("keygen --", ["--daemon"]),
        ("authorize --role ", ["guest", "operator", "viewer"]),
        ("revoke ", []),
        ("nonsense ", []),
        ("numwatchers ", []),
    ],
)
def test_candidates(line: str, found: list[str]) -> None:
    assert candidates(split(line), ask, take=Settings().take) == found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", [""]),
        ("stop", ["stop"]),
        ("stop ", ["stop", ""]),
        ("stop 'a b", ["stop", "a b"]),
        ('stop "a ', ["stop", "a "]),
        ("stop a\\ b", ["stop", "a b"]),
    ],
)
def test_unfinished_lines_are_split(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_the_daemon_of_the_line_is_asked(
    circusctl: Callable[..., Said], daemon: Callable[..., Answering]
) -> None:
    there = daemon({"list": {"watchers": ["web", "db"]}})
    option = f"--endpoint {there.endpoint}"
    for line in (f"circusctl {option} stop w", f"circusctl stop {option} w"):
        assert circusctl("complete", line) == Said(0, "web\n", "")
    assert circusctl("complete", f"circusctl {option} --ssh nobody@nowhere stop w").out == ""


def test_no_daemon_is_no_error(circusctl: Callable[..., Said], tmp_path: Path) -> None:
    line = f"circusctl --endpoint ipc://{tmp_path}/none stop "
    assert circusctl("complete", line) == Said(0, "", "")
    assert circusctl("complete", "circusctl --nonsense ") == Said(0, "", "")
    assert circusctl("complete", "circusctl stop --") == Said(0, "--match\n--waiting\n", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell(circusctl: Callable[..., Said], shell: str) -> None:
    said = circusctl("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert "circusctl" in said.out
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=said.out, text=True, check=True, timeout=20)
