"""The clients of Circus 0.19, as released, drive our daemon and cannot tell the difference.

They live in an environment of their own, made once and kept beside pytest's cache; making it takes
the package index. What is printed is compared with spec: cli, commands.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until
from tests.programs import Environment

WATCHERS = """
[watcher:sleeper]
cmd = sleep 1000
numprocesses = 2
graceful_timeout = 5
env = A=1,B=2
flapping.active = False
ready = spawned
settle = 0

[watcher:single]
cmd = sleep 1000
singleton = True
ready = spawned
settle = 0

[watcher:family]
cmd = sh -c 'sleep 1000 & exec sleep 999'
ready = spawned
settle = 0

[watcher:off]
cmd = sleep 1000
autostart = False

[socket:ux]
path = {tmp}/circus-live-ux.sock
replace = yes

[socket:web]
host = 127.0.0.1
port = 0
"""

CLIENT = """
import json, sys
from circus.client import CircusClient
client = CircusClient(endpoint=sys.argv[1], timeout=10)
for name, properties in json.load(sys.stdin):
    print(json.dumps(client.send_message(name, **properties)))
client.stop()
"""

SUBSCRIBER = """
import sys
import tempfile
from circus.consumer import CircusConsumer
print("there", flush=True)
for topic, body in CircusConsumer(["watcher."], endpoint=sys.argv[1]):
    print(topic.decode(), body.decode(), flush=True)
"""


@pytest.fixture(scope="module")
def daemon(start_shared: Callable[..., Daemon]) -> Daemon:
    return start_shared(WATCHERS.replace("{tmp}", tempfile.gettempdir()), tcp=True)


@pytest.fixture
def ctl(older: Environment, daemon: Daemon) -> Callable[..., tuple[int, str, str]]:
    """Run the older circusctl; {A}, {B} and {CHILD} in its words are pids."""

    def run(line: str) -> tuple[int, str, str]:
        pids = daemon.pids("sleeper")
        for name, pid in zip("AB", pids, strict=False):
            line = line.replace(f"{{{name}}}", str(pid))
        done = older.run("circusctl", "--endpoint", daemon.endpoint, *line.split())
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def fresh(daemon: Daemon) -> Daemon:
    """Put everything as it was at first."""
    options = {"numprocesses": 2, "graceful_timeout": 5.0, "env": {"A": "1", "B": "2"}}
    daemon.ok("set", name="sleeper", options=options, waiting=True)
    daemon.ok("start", name="*", waiting=True)
    daemon.ok("stop", name="off", waiting=True)
    daemon.until_active("sleeper", 2)
    return daemon


INFO = r"\d+  sleep \S+ -?\d+ [\d.]+[KMGB] [\d.]+[KMGB] [\d.]+ [\d.]+ \d+:\d\d\.\d+"

TABLE = [
    ("list", r"family,off,single,sleeper\n"),
    ("list sleeper", r"\d+,\d+\n"),
    ("list SLEEPER", r"\d+,\d+\n"),
    ("status", r"family: active\noff: stopped\nsingle: active\nsleeper: active\n"),
    ("status sleeper", r"active\n"),
    ("status off", r"stopped\n"),
    ("numwatchers", r"4\n"),
    (
        "listsockets",
        r"\d+:socket 'ux' at \S+/circus-live-ux.sock\n\d+:socket 'web' at 127.0.0.1:\d+\n",
    ),
    ("numprocesses", r"4\n"),
    ("numprocesses sleeper", r"2\n"),
    ("incr sleeper", r"3\n"),
    ("incr sleeper 2 --waiting", r"4\n"),
    ("incr single --waiting", r"This watcher is a Singleton .*\n"),
    ("decr sleeper", r"1\n"),
    ("decr sleeper 2 --waiting", r"0\n"),
    ("dstats", r"Main Process:\n +\d+  \S+ .*\n(Children:\n( +\d+  .*\n)*)?"),
    ("stats", rf"(?:\w+:\n(?:\d+: {INFO}\n(?:   {INFO}\n)*)*){{4}}"),
    ("stats sleeper", rf"sleeper:\n(\d+: {INFO}\n){{2}}"),
    ("stats --extended sleeper", rf"sleeper:\n(\d+: {INFO}\n){{2}}"),
    ("stats sleeper {A}", rf"\d+: {INFO}\n\n"),
    ("stats family", rf"family:\n\d+: {INFO}\n   {INFO}\n"),
    ("get sleeper cmd env uid", r"cmd: sleep 1000\nenv: .*A=1,.*B=2.*\nuid: \n"),
    (
        "options sleeper",
        r"(?s).*cmd: sleep 1000\n.*A=1,[^\n]*B=2.*numprocesses: 2\n.*",
    ),
    ("globaloptions", r"(?s)endpoint: tcp://\S+\n.*check_delay: 5.0\n.*"),
    ("globaloptions endpoint", r"endpoint: tcp://127.0.0.1:\d+\n"),
    ("set sleeper numprocesses 3 --waiting", r"ok\n"),
    ("set sleeper numprocesses 1 graceful_timeout 3 stop_signal TERM copy_env True", r"ok\n"),
    ("set sleeper max_age 100000 warmup_delay 0 send_hup False max_retry 4", r"ok\n"),
    ("signal sleeper CONT", r"ok\n"),
    ("signal sleeper {A} 18", r"ok\n"),
    ("signal sleeper {A} sigcont --children", r"ok\n"),
    ("signal sleeper {A} CONT --recursive", r"ok\n"),
    ("kill sleeper", r"ok\n"),
    ("kill sleeper {A} --signum INT --graceful_timeout 3 --waiting", r"ok\n"),
    ("stop sleeper", r"ok\n"),
    ("stop s* --waiting", r"ok\n"),
    ("stop sleeper --match simple --waiting", r"ok\n"),
    ("start off --waiting", r"ok\n"),
    ("start --match regex s.* --waiting", r"ok\n"),
    ("start", r"ok\n"),
    ("restart sleeper --waiting", r"ok\n"),
    ("restart s* --match glob --waiting", r"ok\n"),
    ("reload sleeper --waiting", r"ok\n"),
    ("reload sleeper --sequential --waiting", r"ok\n"),
    ("reload sleeper --terminate --waiting", r"ok\n"),
    ("reload --waiting", r"ok\n"),
    ("reloadconfig --waiting", r"ok\n"),
    ("add --start new sleep 1000", r"ok\n"),
    ("rm new --waiting", r"ok\n"),
    ("--json list", r'\{"status": "ok", "time": [\d.]+, "watchers": \[.*\], "id": "\w{32}"\}\n'),
    ("--json --prettify numwatchers", r'(?s)\{\n  "id": "\w+",\n  "numwatchers": 4,.*'),
]


@pytest.mark.parametrize(("line", "said"), TABLE, ids=[line for line, _ in TABLE])
def test_the_older_circusctl_prints_what_it_always_did(
    fresh: Daemon, ctl: Callable[[str], tuple[int, str, str]], line: str, said: str
) -> None:
    code, out, complaint = ctl(line)
    assert (code, complaint) == (0, ""), out
    assert re.fullmatch(said, re.sub(r"\x1b\[[\d;]*m", "", out)), out


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("list nope", 3, "error: program nope not found"),
        ("status nope", 3, "error"),
        ("incr nope", 3, "error: program nope not found"),
        ("get sleeper nope", 3, "error: 'nope' option not found"),
        ("kill sleeper 1", 3, "error: process 1 not found in 'sleeper'"),
        ("stats sleeper 99999999", 3, "error: process 99999999 not found in 'sleeper'"),
        ("add sleeper sleep 1", 3, "error: 'sleeper' already exist"),
        ("start n* --match glob", 3, "error: program n* not found"),
    ],
)
def test_the_older_circusctl_understands_a_refusal(
    fresh: Daemon,
    ctl: Callable[[str], tuple[int, str, str]],
    line: str,
    code: int,
    said: str,
) -> None:
    ended, out, complaint = ctl(line)
    assert (ended, (out + complaint).strip()) == (code, said)


def test_the_older_circusctl_acts(
    fresh: Daemon, ctl: Callable[[str], tuple[int, str, str]]
) -> None:
    before = fresh.pids("sleeper")
    assert ctl("kill sleeper {A} --waiting")[0] == 0
    until(lambda: len(fresh.pids("sleeper")) == 2 and before[0] not in fresh.pids("sleeper"))
    assert ctl("stop sleeper --waiting")[0] == 0
    assert fresh.pids("sleeper") == []
    assert ctl("start sleeper --waiting")[0] == 0
    assert ctl("signal sleeper KILL")[0] == 0
    until(lambda: fresh.status("sleeper")["restarts"] >= 2)


def test_the_older_client_class_gets_its_replies(fresh: Daemon, older: Environment) -> None:
    asked = [
        ("list", {}),
        ("status", {"name": "sleeper"}),
        ("incr", {"name": "sleeper", "nb": 1, "waiting": True}),
        ("restart", {"name": "sleeper", "waiting": True}),
        ("list", {"name": "sleeper"}),
        ("stats", {}),
        ("quit2", {}),
    ]
    done = subprocess.run(
        [str(older.folder / "bin" / "python"), "-c", CLIENT, fresh.endpoint],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply["status"] for reply in replies] == ["ok", "active", *["ok"] * 4, "error"]
    assert replies[2]["numprocesses"] == 3
    assert replies[3]["info"]["started"] == replies[4]["pids"]
    assert set(replies[5]["infos"]) == {"family", "off", "single", "sleeper"}
    assert replies[6]["errno"] == 2


@pytest.fixture
def beside(older: Environment, tmp_path: Path) -> Iterator[Callable[..., Callable[[], str]]]:
    """Run an older program beside the test; return what it has said so far."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> Callable[[], str]:
        log = tmp_path / f"{len(running)}"
        with log.open("wb") as out:
            command = [str(older.folder / "bin" / words[0]), *words[1:]]
            env = {**os.environ, "PYTHONUNBUFFERED": "1"}
            running.append(subprocess.Popen(command, stdout=out, stderr=out, env=env))
        return log.read_text

    yield run
    for one in running:
        one.kill()
        one.wait()


@pytest.mark.parametrize("program", ["circusctl listen", "CircusConsumer"])
def test_an_older_subscriber_hears_a_death(
    fresh: Daemon, beside: Callable[..., Callable[[], str]], program: str
) -> None:
    if program == "CircusConsumer":
        said = beside("python", "-c", SUBSCRIBER, fresh.events)
    else:
        said = beside("circusctl", "--endpoint", fresh.events, "listen", "watcher.")

    def hears() -> bool:
        fresh.ok("set", name="off", options={"warmup_delay": 0})
        return "watcher.off.updated" in said()

    until(hears)
    victim = fresh.pids("sleeper")[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: "watcher.sleeper.spawn" in said())
    lines = [line for line in said().splitlines() if "watcher.sleeper." in line]
    reap, spawn = (json.loads(re.search(r"\{.*\}", line)[0]) for line in lines[:2])  # type: ignore[index]
    assert (reap["process_pid"], reap["exit_code"]) == (victim, -9)
    assert spawn["process_pid"] in fresh.pids("sleeper")


def test_the_older_circusctl_ends_the_daemon(
    start: Callable[..., Daemon], older: Environment
) -> None:
    daemon = start("[watcher:sleeper]\ncmd = sleep 1000\nnumprocesses = 3\n", tcp=True)
    done = older.run("circusctl", "--endpoint", daemon.endpoint, "quit", "--waiting")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert daemon.process.wait(10) == 0
