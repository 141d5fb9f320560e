"""The messages that the page about trouble shows are those that come."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.pages import DOCS
from tests.docs.recipe_runs import HERE, running
from tests.docs.test_tutorials import typed
from tests.live.daemon import free_port
from tests.programs import wait_until

pytestmark = pytest.mark.live

PAGE = (DOCS / "howto" / "troubleshooting.rst").read_text(encoding="utf-8")
TROUBLE = """
[watcher:crash]
cmd = /bin/sh -c 'echo no database; exit 1'

[watcher:denied]
cmd = {folder}/script

[watcher:missing]
cmd = {folder}/nothing

[watcher:folder]
cmd = sleep 10
working_dir = {folder}/none
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="tro") as short:
        yield Path(short)


def pattern_of(text: str) -> str:
    """Return what the page shows as a pattern, in which any number and any space may stand."""
    return re.sub(r"\d+(\\\.\d+)?", r"\\d+(\\.\\d+)?", re.escape(" ".join(text.split())))


def shown(begin: str) -> str:
    """Return a line of the page as a pattern."""
    (line,) = [line.strip() for line in PAGE.splitlines() if line.startswith(f"   {begin}")]
    return pattern_of(line)


def test_why_a_watcher_does_not_get_further(folder: Path) -> None:
    (folder / "script").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "trouble.ini").write_text(TROUBLE.format(folder=folder), encoding="utf-8")
    table = PAGE.partition("$ circusctl status\n")[2].partition("\n\n")[0]
    pattern = pattern_of(table.replace("/srv/shop", str(folder)))
    with running(folder, "trouble.ini") as control:

        def is_shown() -> bool:
            return bool(re.fullmatch(pattern, " ".join(typed("circusctl status", folder).split())))

        wait_until(is_shown)
        assert "no database" in control("tail", "crash")[1]


def test_an_address_in_use(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        file = folder / "circus.ini"
        file.write_text(
            f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
            f"[socket:web]\nport = {port}\n[watcher:web]\ncmd = sleep 1\nsockets = web\n",
            encoding="utf-8",
        )
        done = HERE.run("circusd", str(file))
    assert done.returncode == 1
    sentence = shown("circusd: [socket:web] can not listen at localhost:8000")
    assert re.search(sentence.replace(re.escape("(nginx)"), r"\(\S+\)"), done.stderr)


def test_nothing_listens() -> None:
    port = str(free_port())
    done = HERE.run("circusctl", "--endpoint", f"tcp://127.0.0.1:{port}", "status")
    assert done.returncode == 1
    assert re.fullmatch(shown("circusctl: nothing listens"), done.stderr.strip())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody without rights")
def test_a_port_that_is_for_root(folder: Path) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="utf-8")) <= 80:
        pytest.skip("on this machine port 80 is for everybody")
    folder.chmod(0o777)
    file = folder / "circus.ini"
    file.write_text(
        f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
        "[socket:web]\nport = 80\n[watcher:web]\ncmd = sleep 1\nsockets = web\n",
        encoding="utf-8",
    )
    words = ["setpriv", "--bounding-set=-net_bind_service", str(HERE.folder / "bin" / "circusd")]
    done = subprocess.run([*words, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.search(
        shown("circusd: [socket:web] can not listen at localhost:80: perm"), done.stderr
    )
