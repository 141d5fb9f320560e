"""`Process` on its own: no watcher, no arbiter, no event loop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cvec_circus_core import (
    DEAD_OR_ZOMBIE,
    RUNNING,
    UNEXISTING,
    BadMessage,
    CircusError,
    Process,
    ProcessStatus,
)
from cvec_circus_core.system.processes.exit_watch import has_pidfds

pytestmark = pytest.mark.live

LIMIT = 20.0


@pytest.fixture
def started() -> Iterator[list[Process]]:
    """Processes that are stopped at the end, whatever the test did to them."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.stop()


def wait_for_line(process: Process) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_the_example_of_the_seeds(started: list[Process]) -> None:
    process = Process("Top", "sleep 100", shell=True)
    started.append(process)
    assert process.age() >= 0.0
    assert process.status is RUNNING
    assert process.info()["pid"] == process.pid
    process.stop()
    assert process.status is UNEXISTING
    assert process.info() == "No such process (stopped?)"


def test_the_slot_number_stands_in_command_and_environment(started: list[Process]) -> None:
    process = Process(7, "sh -c 'echo $0 $SLOT' a$WID", env={"SLOT": "b$WID"})
    started.append(process)
    assert wait_for_line(process) == b"a7 b7\n"


def test_arguments_may_be_a_list_or_a_text(started: list[Process]) -> None:
    for args in (["-n", "a b"], "-n 'a b'"):
        process = Process(1, "echo", args)
        started.append(process)
        assert wait_for_line(process) == b"a b"


def test_the_older_form_with_a_name_first(started: list[Process]) -> None:
    process = Process("top", 3, "echo $WID")
    started.append(process)
    assert (process.name, process.wid) == ("top", 3)
    assert wait_for_line(process) == b"3\n"


def test_executable_keeps_the_name(started: list[Process]) -> None:
    process = Process(1, "shown -c 'echo $0'", executable="/bin/sh")
    started.append(process)
    assert wait_for_line(process) == b"shown\n"


def test_working_dir_and_limits(started: list[Process], tmp_path: object) -> None:
    command = "sh -c 'pwd; ulimit -n'"
    process = Process(1, command, working_dir=str(tmp_path), rlimits={"nofile": 77})
    started.append(process)
    assert wait_for_line(process).decode().strip() == str(tmp_path)
    assert wait_for_line(process) == b"77\n"


@pytest.mark.parametrize(("command", "code"), [("sh -c 'exit 7'", 7), ("sh -c 'kill -9 $$'", -9)])
def test_its_end_is_told(started: list[Process], command: str, code: int) -> None:
    process = Process(1, command)
    started.append(process)
    assert process.wait(LIMIT) == code
    assert process.returncode() == code
    assert not process.is_alive()


def test_waiting_has_a_limit(started: list[Process]) -> None:
    process = Process(1, "sleep 100")
    started.append(process)
    assert process.wait(0.01) is None
    assert process.poll() is None


@pytest.mark.skipif(not has_pidfds(), reason="a zombie is looked at by waitid")
def test_a_dead_process_that_nobody_collected(started: list[Process]) -> None:
    process = Process(1, "sleep 100")
    started.append(process)
    pidfd = os.pidfd_open(process.pid)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    os.close(pidfd)
    assert process.status is DEAD_OR_ZOMBIE
    assert process.poll() == -9
    assert process.status is ProcessStatus.UNEXISTING


def test_children_and_signals_to_them(started: list[Process]) -> None:
    process = Process(1, "sh -c 'sleep 100 & echo started; wait; echo over; sleep 100'")
    started.append(process)
    assert wait_for_line(process) == b"started\n"
    (child,) = process.children()
    assert process.is_child(child)
    assert not process.is_child(os.getpid())
    process.send_signal_child(child, signal.SIGTERM)
    assert wait_for_line(process) == b"over\n"
    with pytest.raises(CircusError, match="not found"):
        process.send_signal_child(os.getpid(), signal.SIGTERM)


def test_one_that_will_not_go_is_killed_with_its_tree(started: list[Process]) -> None:
    command = "sh -c 'trap \"\" TERM; sleep 100 & echo $!; while :; do wait; done'"
    process = Process(1, command)
    started.append(process)
    grandchild = int(wait_for_line(process))
    process._spec = type(process._spec)(name="x", cmd=command, graceful_timeout=0.05)
    pidfd = os.pidfd_open(grandchild)
    process.stop()
    assert process.poll() == -9
    os.set_blocking(pidfd, False)
    assert _ends(pidfd)


def _ends(pidfd: int) -> bool:
    import select

    ready, _, _ = select.select([pidfd], [], [], LIMIT)
    os.close(pidfd)
    return bool(ready)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cmd": "no-such-program-anywhere"}, "no such program"),
        ({"cmd": "sleep 1", "working_dir": "/no/such/folder"}, "/no/such/folder"),
        ({"cmd": "sleep 1", "uid": "nobody-of-this-name"}, "nobody-of-this-name"),
        ({"cmd": "sleep 'a"}, "quot"),
    ],
)
def test_what_can_not_start_says_why(given: dict[str, str], said: str) -> None:
    with pytest.raises(CircusError, match=f"(?i){said}"):
        Process(1, **given)


def test_a_wrong_value_is_refused() -> None:
    with pytest.raises(BadMessage, match="shell"):
        Process(1, "sleep 1", shell="maybe")  # type: ignore[arg-type]


def test_nothing_of_the_library_needs_a_loop() -> None:
    """The example runs in a fresh interpreter that never imports asyncio."""
    program = (
        "import sys; from cvec_circus_core import Process\n"
        "p = Process(1, 'echo hello'); print(p.wait(20), p.stdout.read())\n"
        "p.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.stdout == b"0 b'hello\\n'\n", done.stderr
