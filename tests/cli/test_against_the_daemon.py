"""circusctl and circusd as they are installed: every command once, in an order that makes sense."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvec_circus_cli.settings import KEY_COMMANDS
from tests.programs import Control, Environment

pytestmark = pytest.mark.live

CONFIGURATION = """
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events

[watcher:web]
cmd = sleep 300
numprocesses = 2
env = A=1

[watcher:off]
cmd = sleep 301
autostart = False

[watcher:one]
cmd = sleep 302
ready = spawned
singleton = True

[watcher:slow]
cmd = /bin/sh -c 'trap "" TERM; while :; do sleep 1; done'
graceful_timeout = 2
"""
INFO = r"\d+  sleep \S+ -?\d+ [\d.]+\w [\d.]+\w [\d.]+ [\d.]+ \d+:\d\d\.\d+"

CONVERSATION = [
    (("numwatchers",), 0, "4"),
    (("numprocesses",), 0, "4"),
    (("numprocesses", "WEB"), 0, "2"),
    (("list",), 0, "off,one,slow,web"),
    (("list", "web"), 0, r"\d+,\d+"),
    (("listpids", "one"), 0, r"\d+"),
    (("status",), 0, "off: stopped\none: active\nslow: active\nweb: active"),
    (("status", "web"), 0, "active"),
    (("status", "web", "off"), 0, "web: active\noff: stopped"),
    (("status", "o*", "--long"), 0, "off: stopped 0/0, restarts 0\none: active 1/1, restarts 0"),
    (("list", "WEB", "one"), 0, r"WEB: \d+,\d+\none: \d+"),
    (("list", "o*"), 0, r"off: \none: \d+"),
    (("listpids", "on?"), 0, r"one: \d+"),
    (("numprocesses", "web", "o*", "one"), 0, "web: 2\noff: 0\none: 1"),
    (("numprocesses", "z*"), 3, r"error: no watcher matches 'z\*'"),
    (("stop", "z*"), 3, r"error: no watcher matches 'z\*'"),
    (("get", "[ow]*", "numprocesses"), 0, "(o..?|web): numprocesses: .\n?" * 3),
    (("env", "o*", "1"), 0, r"(?s).*\none: PATH=.*"),
    (("signal", "o*e", "CONT"), 0, "one: ok"),
    (("get", "web", "cmd", "env"), 0, "cmd: sleep 300\nenv: (?s:.*)A=1"),
    (("get", "web", "nope"), 3, "error: 'nope' option not found"),
    (("options", "one"), 0, r"(?s).*\nargs: \n.*\nsingleton: True\n.*"),
    (("env", "web"), 0, r"(?s)A=1\n.*"),
    (("globaloptions", "check_delay"), 0, r"check_delay: 5\.0"),
    (("dstats",), 0, r"Main Process:\n    \d+  \S+ .*"),
    (("processes",), 0, r"off: \none: \d+\nslow: \d+\nweb: \d+,\d+"),
    (("stats", "one"), 0, rf"one:\n\d+: {INFO}"),
    (("stats", "one", "web", "1"), 0, rf"one: 1: {INFO}\nweb: 1: {INFO}"),
    (("stats", "o*"), 0, rf"off:\none:\n\d+: {INFO}"),
    (("stats", "one", "1"), 0, rf"1: {INFO}\n"),
    (("reopen",), 0, "ok"),
    (("tail", "web:1", "-n", "3"), 0, ""),
    (("tail", "web:9"), 3, "error: 'web' has no process 9"),
    (("incr", "web"), 0, "3"),
    (("decr", "web", "2", "--waiting"), 0, "1"),
    (("numprocesses", "web"), 0, "1"),
    (("incr", "w*b"), 0, "web: 2"),
    (("decr", "web"), 0, "1"),
    (("kill", "w*", "--waiting"), 0, "web: ok"),
    (("set", "w*", "max_age", "0"), 0, "web: ok"),
    (("incr", "one"), 0, "the watcher is a singleton: its number of processes stays 1"),
    (("set", "web", "numprocesses", "2", "env", "A=2", "--waiting"), 0, "ok"),
    (("get", "web", "env", "numprocesses"), 0, "env: (?s:.*)A=2\nnumprocesses: 2"),
    (("options", "web", "--as-set"), 0, r"(?s).*\nenv: A=2\n.*"),
    (("save", "--plan"), 0, r"web: env = .*"),
    (("fleet", "status"), 3, r"error: this daemon is in no fleet: .*"),
    (("upgrade",), 3, "error: only a daemon with keeper = True can be exchanged while it runs"),
    (("set", "web", "nonsense", "1"), 3, "error: unknown key 'nonsense'"),
    (("set", "web", "maxage", "1"), 3, r"error: unknown key 'maxage'; did you mean max_age\?"),
    (("start", "o*", "--waiting"), 0, "ok"),
    (("stop", "off", "one", "--waiting"), 0, "off: ok\none: ok"),
    (("--json", "restart", "web", "--waiting"), 0, r".*\"stopped\": \[\d+, \d+\].*"),
    (("--json", "reload", "web", "--waiting"), 0, r".*\"started\": \[\d+, \d+\].*"),
    (("reload", "--sequential", "--waiting"), 0, "ok"),
    (("kill", "web", "--waiting"), 0, "ok"),
    (("kill", "web", "1"), 3, "error: process 1 not found in 'web'"),
    (("signal", "web", "CONT"), 0, "ok"),
    (("signal", "web", "nonsense"), 3, "error: 'nonsense' isn't a signal"),
    (("--timeout", "0.3", "stop", "slow", "--waiting"), 4, "timed out: stop of slow is still .*"),
    (("status", "slow"), 0, "stopping"),
    (("stop", "slow", "--waiting"), 0, "ok"),
    (("add", "new", "sleep", "303", "--start", "--option", "numprocesses=2", "--wait"), 0, "ok"),
    (("numprocesses", "new"), 0, "2"),
    (("add", "NEW", "sleep", "1"), 3, "error: 'NEW' already exists"),
    (("add", "bad", "/no/such/program", "--start", "--waiting"), 3, "error: .*no such program.*"),
    (("rm", "ne*", "bad", "--waiting"), 0, "new: ok\nbad: ok"),
    (("addsocket", "door", "host=127.0.0.1", "port=0"), 0, r"\d+:socket 'door' at 127.0.0.1:\d+"),
    (("listsockets",), 0, r"\d+:socket 'door' at 127.0.0.1:\d+"),
    (("rmsocket", "door"), 0, "ok"),
    (("announce", "web", "deployed", "version=1.2"), 0, "ok"),
    (("plugins", "formats"), 0, r"(?s).*formats  ini  cvec-circus \S+  loaded.*"),
    (("reloadconfig", "--waiting"), 0, "ok"),
    (("restart", "--waiting"), 0, "ok"),
    (("status", "web"), 0, "active"),
    (("stop", "--waiting"), 0, "ok"),
    (("numprocesses",), 0, "0"),
    (("start", "--waiting"), 0, "ok"),
    (("nonsense",), 2, "circusctl: unknown command: 'nonsense'"),
    (("quit", "--waiting"), 0, "ok"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose name is short enough for Unix sockets."""
    made = Path(tempfile.mkdtemp(prefix="circusctl-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_every_command_once(folder: Path) -> None:
    installed = Environment(Path(sys.prefix))
    configuration = folder / "circus.ini"
    configuration.write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    control = Control(installed, f"ipc://{folder}/control")
    with installed.running("circusd", str(configuration), log=folder / "log") as daemon:
        control.wait_for("active", "status", "web")
        control.wait_for("active", "status", "slow")
        for words, code, text in CONVERSATION:
            ended, out, err = control(*words)
            assert (words, ended, err if code else "") == (words, code, err), out + err
            said = (err if code else out).removesuffix("\n")
            assert re.fullmatch(text, said), (words, said)
        assert daemon.wait(timeout=20) == 0


def test_every_command_is_in_the_conversation() -> None:
    listed = subprocess.run(
        [Path(sys.prefix) / "bin" / "circusctl", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names = set(re.findall(r"^  ([a-z]+) +\w", listed.stdout.partition("\ncommands:\n")[2], re.M))
    said = {word for words, _, _ in CONVERSATION for word in words}
    alone = {"completion", "export", "help", "import", "listen", "token", *KEY_COMMANDS}
    assert names - said == alone
