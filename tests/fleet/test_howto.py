"""Every command of docs/howto/fleet.rst, in its order, on three hosts."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.fleet.conftest import EtcdServer
from tests.fleet.fleets import Fleet, FleetHost
from tests.live.daemon import BIN, LIMIT, ROOT, Daemon, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

PAGE = ROOT / "docs/howto/fleet.rst"
EXAMPLES = ROOT / "docs/examples/fleet"
TICKER = "sh -c 'while echo tick; do sleep 0.2; done'"


def commands() -> list[list[str]]:
    """Return the words of all commands of the page that are circusctl's."""
    lines = re.findall(r"^   \$ circusctl (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_every_command_of_the_page(etcd: EtcdServer, tmp_path: Path) -> None:
    # On one machine only one process could have the port of the example.
    text = (EXAMPLES / "fleet.conf").read_text(encoding="utf-8")
    assert "python3 -m http.server 8000" in text
    (tmp_path / "fleet.conf").write_text(text.replace("python3 -m http.server 8000", TICKER))
    hosts = {}
    for name in ("host1", "host2", "host3"):
        host = hosts[name] = FleetHost(name, etcd.endpoint, tmp_path, "zone:a disk:ssd")
        file = host.daemon.file
        file.write_text(f"{file.read_text()}address = {host.daemon.endpoint}\n")
    try:
        for host in hosts.values():
            host.start()
        fleet = Fleet(hosts, tmp_path)
        until(lambda: len(hosts["host1"].fleet("hosts")["hosts"]) == len(hosts), 2 * LIMIT)
        words_of_all = commands()
        assert len(words_of_all) >= 10
        for words in words_of_all:
            run(words, hosts["host1"].daemon, tmp_path)
            if words[:2] == ["fleet", "apply"]:
                fleet.until_ready("host1")
        # "rollback 7" of the text, with a revision that is there, and the history.
        for words in (["fleet", "history"], ["fleet", "rollback", "1"], ["fleet", "plan", "x"]):
            done = circusctl(words, hosts["host1"].daemon, tmp_path)
            assert done.returncode == (2 if "x" in words else 0), done
    finally:
        for host in hosts.values():
            host.daemon.clean_up()


def run(words: list[str], daemon: Daemon, folder: Path) -> None:
    """Run one command, and interrupt it where it goes on."""
    if "-f" not in words and "listen" not in words:
        done = circusctl(words, daemon, folder)
        assert done.returncode == 0, done
        assert done.stdout
        return
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(command_line(words, daemon), cwd=folder, stdout=file)
    try:

        def hears() -> bool:
            if "listen" in words:
                daemon.call("restart", name="web", waiting=True)
            return bool(output.read_text())

        until(hears, 2 * LIMIT)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait()


def circusctl(words: list[str], daemon: Daemon, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return how a command has ended."""
    return subprocess.run(
        command_line(words, daemon),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=4 * LIMIT,
    )


def command_line(words: list[str], daemon: Daemon) -> list[str]:
    """Return a command that asks a daemon, and waits as long as a loaded machine needs."""
    return [str(BIN / "circusctl"), "--endpoint", daemon.endpoint, "--timeout", "60", *words]
