"""The command that the operator typed ends when the daemon is ready, or says why it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

_PROGRAM = """
import os, sys
from cvec_circus_core.system.daemonize import daemonize
os.umask(0o27)
caller = daemonize()
print("nobody sees this")
with open(sys.argv[1], "w") as out:
    streams = [os.readlink(f"/proc/self/fd/{n}") for n in (0, 1, 2)]
    print(os.getpid(), os.getsid(0), os.getpgid(0), os.getcwd(), os.umask(0), *streams, file=out)
"""


def run(ending: str, tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    facts = tmp_path / "facts"
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM + ending, str(facts)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        check=False,
    )
    return said, facts.read_text().split()


def test_ready_ends_the_command_well(tmp_path: Path) -> None:
    said, facts = run("caller.ready(); caller.failed('too late')", tmp_path)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    pid, session, _, folder, umask, *streams = facts
    assert pid != session  # no session leader, so no terminal ever again
    assert int(session) != os.getsid(0)
    assert (folder, umask) == (str(tmp_path), str(0o27))
    assert streams == ["/dev/null"] * 3


def test_failure_passes_message_and_code_on(tmp_path: Path) -> None:
    said, _ = run("caller.failed('the port is taken', 3)", tmp_path)
    assert (said.returncode, said.stdout, said.stderr) == (3, "", "the port is taken\n")


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 9)", "1 / 0"])
def test_a_daemon_that_dies_in_silence_is_noticed(tmp_path: Path, ending: str) -> None:
    said, _ = run(ending, tmp_path)
    assert (said.returncode, said.stderr) == (1, "the daemon ended unexpectedly\n")
