"""Another machine, as far as the kernel is concerned: a network namespace at the end of a cable."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import BIN, LIMIT
from tests.live.keyring import Keyring, Start, by_key

SPACE, HERE, THERE = f"circus{os.getpid()}", "198.51.100.1", "198.51.100.2"


def ip(*words: str) -> bool:
    """Run ip and tell whether it could do that."""
    return subprocess.run(["ip", *words], capture_output=True, timeout=LIMIT).returncode == 0


@pytest.fixture
def elsewhere() -> Iterator[list[str]]:
    """Return the words that run a command on the other machine."""
    if os.getuid() != 0 or shutil.which("ip") is None or not ip("netns", "add", SPACE):
        pytest.skip("no network namespace can be made here")
    cable = f"cv{os.getpid() % 100000}"
    try:
        laid = (
            ip("link", "add", f"{cable}a", "type", "veth", "peer", "name", f"{cable}b")
            and ip("link", "set", f"{cable}b", "netns", SPACE)
            and ip("addr", "add", f"{HERE}/24", "dev", f"{cable}a")
            and ip("link", "set", f"{cable}a", "up")
            and ip("-n", SPACE, "addr", "add", f"{THERE}/24", "dev", f"{cable}b")
            and ip("-n", SPACE, "link", "set", f"{cable}b", "up")
        )
        if not laid:
            pytest.skip("no virtual cable can be laid here")
        yield ["ip", "netns", "exec", SPACE]
    finally:
        ip("link", "del", f"{cable}a")
        ip("netns", "del", SPACE)


def test_only_by_key_from_another_machine(
    start: Start, elsewhere: list[str], tmp_path: Path
) -> None:
    ring = Keyring(tmp_path)
    ring.person("olga", "operator", host=HERE)
    ring.person("eve", None, host=HERE)
    daemon = by_key(start, ring, "[watcher:web]\ncmd = sleep 1000\n")
    endpoint = daemon.endpoint.replace("0.0.0.0", HERE)

    def ask(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [BIN / "circusctl", "--timeout", "5", "--endpoint", endpoint, *words]
        return subprocess.run(
            [*elsewhere, *command],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env={**os.environ, "CIRCUS_KEYS": str(tmp_path / name)},
        )

    told = ask("olga", "status", "web")
    assert told.stdout == "active\n", told.stderr
    assert ask("olga", "incr", "web").stdout == "2\n"
    assert f"key 'olga' (from {THERE}): incr name=web: ok" in daemon.text()
    refused = ask("eve", "status")
    assert (refused.returncode, "is not authorized there" in refused.stderr) == (1, True)
    assert f"from {THERE}): connect: refused" in daemon.text()
    assert "takes only those who show a key" in ask("nobody", "status").stderr
