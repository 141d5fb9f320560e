"""A plain command starts fast because it loads little: what it must not load is named here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.answering import Answering

HEAVY = (
    *("argparse", "asyncio", "concurrent.futures", "dataclasses", "difflib", "email"),
    *("importlib.metadata", "logging", "msgspec", "multiprocessing", "pluggy"),
    *("psutil", "readline", "stevedore", "subprocess", "urllib", "zmq.asyncio", "zmq.ssh"),
    "cvec_circus_core.model.specs",
    # From Python 3.12 on, pyzmq's compiled half loads it by itself.
    *(("inspect",) if sys.version_info < (3, 12) else ()),
)
OURS_AT_MOST = 30
"""Modules of ours that a plain command may load."""

PROGRAM = """
import sys
from cvec_circus_cli.circusctl import main
code = main(sys.argv[1:])
import json
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words", [("numprocesses", "web"), ("list",), ("stop", "web"), ("status", "web")]
)
def test_a_plain_command_loads_little(
    daemon: Callable[..., Answering], words: tuple[str, ...]
) -> None:
    answers = {
        "numprocesses": {"numprocesses": 1},
        "list": {"watchers": []},
        "stop": {"status": "ok"},
        "status": {"status": "active"},
    }
    code, modules = loaded("--endpoint", daemon(answers).endpoint, *words)
    assert code == 0
    assert not [name for name in modules if name.startswith(HEAVY)]
    assert len([name for name in modules if name.startswith("cvec_circus")]) <= OURS_AT_MOST


def test_the_version_does_not_even_load_zmq() -> None:
    code, modules = loaded("--version")
    assert code == 0
    assert not [name for name in modules if name.startswith(("zmq", *HEAVY))]


def loaded(*words: str) -> tuple[int, list[str]]:
    """Run circusctl in a process of its own; return its exit code and what it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, modules
