"""What may come next: for the interactive shell, bash, zsh and fish."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_cli.completing import SHELLS, candidates, split
from tests.cli.answering import Answering
from tests.cli.conftest import Said

ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("list", ""): {"watchers": ["web", "db", "a b"]},
    ("list", "web"): {"pids": [101, 102], "processes": [1, 2]},
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
        ("globaloptions endp", ["endpoint", "endpoint_owner"]),
        ("listen ", ["watcher.a_b.", "watcher.db.", "watcher.web."]),
        ("help sto", ["stop"]),
        ("help stop ", []),
        ("completion ", ["bash", "fish", "zsh"]),
        ("nonsense ", []),
        ("numwatchers ", []),
    ],
)
def test_candidates(line: str, found: list[str]) -> None:
    assert candidates(split(line), ask) == found


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
    said = circusctl("complete", f"circusctl --endpoint {there.endpoint} stop w")
    assert said == Said(0, "web\n", "")


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


def test_bash_offers_what_is_found(tmp_path: Path, daemon: Callable[..., Answering]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    there = daemon({"list": {"watchers": ["web", "we b"]}})
    program = tmp_path / "circusctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cvec_circus_cli.circusctl "$@"\n')
    program.chmod(0o755)
    script = f"""
        source <({program} completion bash)
        COMP_WORDS=({program} stop w) COMP_CWORD=2 COMP_LINE="{program} stop w"
        COMP_POINT=${{#COMP_LINE}}
        _circusctl 2>/dev/null
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [bash, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={"CIRCUSCTL_ENDPOINT": there.endpoint, "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.splitlines() == ["we\\ b", "web"]
