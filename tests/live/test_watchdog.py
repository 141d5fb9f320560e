"""WatchDog live: workers that beat over real UDP, and stop to."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.wire import Ear

Listen = Callable[..., Ear]

BEATING = f"{sys.executable} {Path(__file__).with_name('beating.py')}"
SILENCE = 1.5
"""Seconds without a beat that are too many here: loop_rate times max_count."""


@pytest.fixture
def port() -> int:
    """Return a UDP port that nobody listens at."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["process", "thread"])
def isolate(request: pytest.FixtureRequest) -> bool:
    """Tell whether the plugin gets a process of its own."""
    return bool(request.param == "process")


def section(port: int, isolate: bool, *more: str) -> str:
    """Return the section of the plugin."""
    lines = ("use = watchdog", f"port = {port}", f"isolate = {isolate}", "loop_rate = 0.5")
    return "[plugin:dog]\n" + "\n".join([*lines, *more]) + "\n"


def watcher(name: str, cmd: str, *more: str) -> str:
    """Return the section of a watcher that is not started by itself."""
    lines = (f"[watcher:{name}]", f"cmd = {cmd}", "autostart = no", "graceful_timeout = 1")
    return "\n".join([*lines, *more]) + "\n"


def until_it_listens(daemon: Daemon) -> None:
    """Wait until the plugin takes datagrams."""
    until(lambda: daemon.said("listening to heart-beats"))


def test_a_worker_that_stops_to_beat_is_replaced(
    start: Start, listen: Listen, port: int, isolate: bool
) -> None:
    body = (
        watcher("Dying.one", f"{BEATING} {port} 20")
        + watcher("steady", f"{BEATING} {port}", "numprocesses = 2")
        + watcher("unknowing", "sleep 1000")
    )
    daemon = start(body + section(port, isolate, "max_count = 3"))
    until_it_listens(daemon)
    ear = listen(daemon)
    daemon.ok("start", waiting=True, name="*", match="glob")
    steady, unknowing = daemon.pids("steady"), daemon.pids("unknowing")
    first, second = ear.wait_for("heartbeat_lost", "dying.one", count=2)
    assert first.body["silent"] > SILENCE
    assert first.body["process_id"] in (1, 2)
    assert first.pid != second.pid
    gone = ear.wait_for("reap", "dying.one", count=2)
    assert [one.pid for one in gone[:2]] == [first.pid, second.pid]
    assert daemon.status("dying.one")["status"] == "active"
    assert (daemon.pids("steady"), daemon.pids("unknowing")) == (steady, unknowing)


def test_those_of_named_watchers_have_to_beat_from_the_first(
    start: Start, listen: Listen, port: int, isolate: bool
) -> None:
    body = watcher("Mute", "sleep 1000") + watcher("other", "sleep 1000")
    daemon = start(body + section(port, isolate, "max_count = 3", "watchers_regex = mu.*"))
    until_it_listens(daemon)
    ear = listen(daemon)
    daemon.ok("start", waiting=True, name="*", match="glob")
    (mute,), other = daemon.pids("mute"), daemon.pids("other")
    lost = ear.wait_for("heartbeat_lost", "mute")[0]
    assert lost.pid == mute
    until(lambda: mute not in daemon.pids("mute") and len(daemon.pids("mute")) == 1)
    assert daemon.pids("other") == other


def test_one_that_was_there_before_the_plugin_is_known(
    start: Start, listen: Listen, port: int, tmp_path: Path
) -> None:
    (life := tmp_path / "life").touch()
    daemon = start(watcher("early", f"{BEATING} {port} {life}"))
    daemon.ok("start", name="early", waiting=True)
    (early,) = daemon.pids("early")
    ear = listen(daemon)
    with daemon.file.open("a") as file:
        file.write(section(port, True, "max_count = 3", "watchers_regex = early$"))
    daemon.ok("reloadconfig", waiting=True)
    until_it_listens(daemon)
    life.unlink()
    assert ear.wait_for("heartbeat_lost", "early", limit=60)[0].pid == early


def test_signal_and_grace_are_those_of_the_options(start: Start, listen: Listen, port: int) -> None:
    more = ("max_count = 1", "watchers_stop_signal = QUIT", "watchers_graceful_timeout = 0.2")
    body = watcher("deaf", f"{BEATING} {port} 20 --deaf").replace("timeout = 1", "timeout = 100")
    daemon = start(body + section(port, False, *more))
    until_it_listens(daemon)
    ear = listen(daemon)
    daemon.ok("start", name="deaf", waiting=True)
    assert ear.wait_for("reap", "deaf")[0].body["exit_code"] == -3
    daemon.ok("stop", name="deaf", match="simple")
    daemon.ok("kill", name="deaf", signum="KILL")


def test_what_is_no_beat_is_told_and_does_no_harm(start: Start, listen: Listen, port: int) -> None:
    body = watcher("named", "sleep 1000")
    more = ("max_count = 4", "watchers_regex = named", r"msg_regex = alive (?P<pid>\d+)")
    daemon = start(body + section(port, True, *more))
    until_it_listens(daemon)
    ear = listen(daemon)
    daemon.ok("start", name="named", waiting=True)
    (pid,) = daemon.pids("named")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as beats:
        for rubbish in (b"", b"\xff\xfe", b"alive", f"{pid};1".encode(), b"alive " + b"9" * 9000):
            beats.sendto(rubbish, ("127.0.0.1", port))

        def beat() -> bool:
            beats.sendto(f"alive {pid}\n".encode(), ("127.0.0.1", port))
            return len(re.findall(r"datagrams were no heart-beats", daemon.text())) == 1

        until(beat)
        assert daemon.said("5 datagrams were no heart-beats")
    assert ear.wait_for("heartbeat_lost", "named")[0].pid == pid


def as_nobody(stack: ExitStack, port: int, *words: str) -> Callable[..., None]:
    """Let another user beat, for the pids that are given, until the end of the test.

    The function that is returned takes the words that are sent from now on.
    """
    text = (
        "import select, socket, sys\n"
        "beats, words = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), sys.argv[2:]\n"
        "while True:\n"
        "    for pid in words:\n"
        "        beats.sendto(pid.encode(), ('127.0.0.1', int(sys.argv[1])))\n"
        "    if select.select([sys.stdin], [], [], 0.05)[0]:\n"
        "        words = sys.stdin.readline().split()\n"
    )
    command = ["/usr/bin/env", "python3", "-c", text, str(port), *words]
    process = subprocess.Popen(command, user="nobody", cwd="/", stdin=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)

    def send(*words: str) -> None:
        assert process.stdin is not None
        process.stdin.write(" ".join(words) + "\n")
        process.stdin.flush()

    return send


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_other_users_neither_kill_nor_keep_alive(
    start: Start, listen: Listen, port: int, isolate: bool
) -> None:
    body = watcher("hung", "sleep 1000") + watcher("free", "sleep 1000")
    daemon = start(body + section(port, isolate, "max_count = 3", "watchers_regex = hung"))
    until_it_listens(daemon)
    ear = listen(daemon)
    daemon.ok("start", waiting=True, name="*", match="glob")
    (hung,), free = daemon.pids("hung"), daemon.pids("free")
    with ExitStack() as stack:
        send = as_nobody(stack, port, str(hung), f"{free[0]};1")
        assert ear.wait_for("heartbeat_lost", "hung")[0].pid == hung

        def is_refused() -> bool:
            # The first one may be gone before the other user has begun.
            send(*map(str, daemon.pids("hung")), f"{free[0]};1")
            return daemon.said("of user 65534, whose process it is not, were not taken")

        until(is_refused)
        assert daemon.pids("free") == free


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_one_beat_of_another_user_has_nobody_killed(start: Start, port: int, isolate: bool) -> None:
    daemon = start(watcher("w", "sleep 1000") + section(port, isolate, "max_count = 1"))
    until_it_listens(daemon)
    daemon.ok("start", name="w", waiting=True)
    pids = daemon.pids("w")
    with ExitStack() as stack:
        as_nobody(stack, port, str(pids[0]))
        until(lambda: daemon.text().count("were not taken") >= 4)
    assert daemon.pids("w") == pids


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_processes_of_other_users_beat_for_themselves(
    start: Start, listen: Listen, port: int, tmp_path: Path
) -> None:
    text = Path(__file__).with_name("beating.py").read_text()
    script = Path(tempfile.mkdtemp(prefix="beats-")) / "beating.py"
    script.write_text(text)
    script.parent.chmod(0o755)
    cmd = f"/usr/bin/env python3 {script} {port} 40"
    body = watcher("alien", cmd, "uid = nobody", "working_dir = /")
    daemon = start(body + section(port, True, "max_count = 2"))
    until_it_listens(daemon)
    ear = listen(daemon)
    daemon.ok("start", name="alien", waiting=True)
    (pid,) = daemon.pids("alien")
    assert ear.wait_for("heartbeat_lost", "alien")[0].pid == pid
    assert not daemon.said("were not taken")
    shutil.rmtree(script.parent)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("msg_regex = (", "isn't a regular expression"),
        ("msg_regex = .*", "msg_regex has no group named pid: .*"),
        ("watchers_stop_signal = NOPE", "isn't a signal"),
        ("max_count = 0", "isn't a number at least 1"),
    ],
)
def test_mistakes_are_told_before_anything_starts(port: int, option: str, why: str) -> None:
    daemon = Daemon(section(port, False, option))
    assert daemon.launch().wait(30) == 1
    assert daemon.said("[plugin:dog]")
    assert daemon.said(why)
    daemon.clean_up()


def test_an_address_that_can_not_be_had_is_told_in_a_sentence(start: Start, port: int) -> None:
    daemon = start(section(port, False, "ip = 192.0.2.1"))
    until(lambda: daemon.said(f"192.0.2.1:{port} can not be listened at: "))
