"""on_daemon_death = adopt: what a killed daemon has left goes on under the next one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cvec_circus_core.system.processes.foreign_files import outputs_of, sockets_within
from tests.keeper import all_killed
from tests.keeper.kept import SERVES, Kept
from tests.live.daemon import Daemon, free_port, is_alive, until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only"),
]

_SPEAKER = (
    "import os, signal, sys, time\n"
    "number = 0\n"
    "def speak(*_):\n"
    "    global number\n"
    "    number += 1\n"
    "    os.write(1, b'line %d\\n' % number)\n"
    "signal.signal(signal.SIGUSR1, speak)\n"
    "speak()\n"
    "while True:\n"
    "    time.sleep(1000)\n"
)
_BODY = """
[socket:web]
host = 127.0.0.1
port = {port}
[watcher:web]
cmd = sleep 1001
use_sockets = yes
numprocesses = 2
ready = spawned
settle = 0
[watcher:speaker]
cmd = {python} -S {folder}/speaker.py
ready = spawned
settle = 0
stdout_stream.class = FileStream
stdout_stream.filename = {folder}/lines
[watcher:ends]
cmd = sh -c "until [ -e {folder}/end ]; do sleep 0.05; done; exit 7"
ready = spawned
settle = 0
"""
_ONE_MORE = "[watcher:gone]\ncmd = sleep 1002\nready = spawned\nsettle = 0\n"


@pytest.fixture(params=[Daemon, Kept])
def daemon(request: Any) -> Iterator[Daemon]:
    daemon: Daemon = request.param("", circus="on_daemon_death = adopt")
    (daemon.folder / "speaker.py").write_text(_SPEAKER)
    daemon.write(body(daemon, free_port()) + _ONE_MORE)
    try:
        begin(daemon)
        yield daemon
    finally:
        daemon.clean_up()


def body(daemon: Daemon, port: int) -> str:
    return _BODY.format(port=port, python=sys.executable, folder=daemon.folder)


def begin(daemon: Daemon) -> None:
    count = daemon.text().count(SERVES) if daemon.log.exists() else 0
    daemon.launch()
    until(lambda: daemon.text().count(SERVES) > count, 60)
    daemon.until_active("web")
    daemon.until_active("speaker", 1)
    until(lambda: (daemon.folder / "lines").read_text() != "")


def kill(daemon: Daemon) -> None:
    all_killed.kill_all(daemon)
    daemon.caller.close()
    daemon._caller = None


def port_of(daemon: Daemon) -> int:
    return int(daemon.ok("listsockets")["sockets"][0]["port"])


def test_the_same_processes_go_on_with_output_and_sockets(daemon: Daemon) -> None:
    names = ("web", "speaker", "ends")
    pids, port = {name: daemon.pids(name) for name in names}, port_of(daemon)
    (gone,) = daemon.pids("gone")
    kill(daemon)
    with socket.create_connection(("127.0.0.1", port), 5):
        pass  # its processes have it
    daemon.write(body(daemon, port).replace("numprocesses = 2", "numprocesses = 3"))
    begin(daemon)
    assert f"{pids['web'][0]} (sleep 1001" not in daemon.text()
    assert daemon.said(f"process {gone}, left behind, is not taken over: the configuration has no")
    assert not is_alive(gone)
    assert daemon.until_active("web", 3)[:2] == pids["web"]
    assert [daemon.pids(name) for name in names[1:]] == [pids["speaker"], pids["ends"]]
    assert port_of(daemon) == port
    os.kill(pids["speaker"][0], signal.SIGUSR1)
    until(lambda: (daemon.folder / "lines").read_text() == "line 1\nline 2\n")
    (daemon.folder / "end").touch()
    until(lambda: daemon.said(f"ends process [pid {pids['ends'][0]}] ended by itself, exit code 7"))
    assert daemon.stop() == 0
    until(lambda: not any(map(is_alive, daemon.alive())))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_one_whose_socket_is_another_is_stopped_and_the_rest_is_not(daemon: Daemon) -> None:
    web, speaker, port = daemon.pids("web"), daemon.pids("speaker"), free_port()
    kill(daemon)
    daemon.write(body(daemon, port))
    begin(daemon)
    for pid in web:
        assert daemon.said(f"process {pid}, left behind, is not taken over: it has no socket web")
        assert not is_alive(pid)
    assert daemon.pids("speaker") == speaker
    assert port_of(daemon) == port


def test_surplus_processes_go(daemon: Daemon) -> None:
    web, port = daemon.pids("web"), port_of(daemon)
    kill(daemon)
    daemon.write(body(daemon, port).replace("numprocesses = 2", "numprocesses = 1"))
    begin(daemon)
    until(lambda: sum(map(is_alive, web)) == 1)
    until(lambda: daemon.pids("web") == list(filter(is_alive, web)))


@pytest.mark.parametrize("kind", [Daemon, Kept])
def test_killed_again_and_again_they_go_on(kind: type[Daemon]) -> None:
    assert all_killed.run(3, kind, adopts=True) == []


def test_a_pipe_with_a_reader_is_left_to_it() -> None:
    reading, writing = os.pipe()
    speaker = subprocess.Popen(["sleep", "1000"], stdout=writing, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        assert outputs_of([speaker.pid]) == {speaker.pid: {}}
        os.close(reading)
        ((name, ours),) = outputs_of([speaker.pid])[speaker.pid].items()
        assert name == "stdout"
        os.close(ours)
    finally:
        speaker.kill()
        speaker.wait()
    assert outputs_of([speaker.pid]) == {speaker.pid: {}}


def test_sockets_are_duplicated_out_of_a_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.fileno()
        holder = subprocess.Popen(["sleep", "1000"], pass_fds=(number,))
        address = server.getsockname()
    try:
        (ours,) = sockets_within(holder.pid)
        assert ours.getsockname() == address
        assert not ours.get_inheritable()
        ours.close()
    finally:
        holder.kill()
        holder.wait()
