"""The state file: what it remembers, what it does not believe, and how it stays small."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.processes.left_processes import Farewell, LeftProcesses
from cvec_circus_core.system.processes.state_file import Records, StateFile, living_in

TAG = (1 << 62) + (7 << 32)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield child
    child.kill()
    child.wait()


def acquired(path: str) -> StateFile:
    state = StateFile.acquire(path)
    assert state is not None
    return state


def let_go(state: StateFile) -> None:
    """Do what the kernel does when its holder is killed."""
    os.close(state.hand_on()[1])


def left_by(path: str, *pids: int, title: str = "1 web") -> Records:
    state = acquired(path)
    state.begin()
    for pid in pids:
        state.began(pid, TAG + 1, title)
    let_go(state)
    return acquired(path).read()


def test_who_lives_is_found_with_its_watcher(path: str, sleeper: subprocess.Popen[bytes]) -> None:
    records = left_by(path, sleeper.pid, title="3 the web")
    (process,) = living_in(records)
    assert (process.pid, process.title, process.watcher) == (sleeper.pid, "3 the web", "the web")
    assert records.daemons == {TAG >> 32}


def test_it_is_held_by_one_at_a_time_and_taken_away_at_the_end(path: str) -> None:
    state = acquired(path)
    assert StateFile.acquire(path) is None
    state.begin()
    assert StateFile.acquire(path) is None
    state.release()
    assert not os.path.exists(path)


def test_an_end_and_what_is_spared_are_remembered(
    path: str, sleeper: subprocess.Popen[bytes]
) -> None:
    state = acquired(path)
    state.begin()
    state.began(os.getpid(), TAG + 1, "1 web")
    state.began(sleeper.pid, TAG + 2, "2 web")
    state.ended(os.getpid())
    state.spare(sleeper.pid)
    records = state.read()
    assert not records.processes
    assert records.spared == {TAG + 2}
    state.release()


def test_it_stays_small(path: str, sleeper: subprocess.Popen[bytes]) -> None:
    state = acquired(path)
    state.begin()
    state.began(sleeper.pid, TAG, "1 web")
    for _ in range(5000):
        state.began(os.getpid(), TAG, "2 web")
        state.ended(os.getpid())
    assert os.path.getsize(path) < 200_000
    assert list(state.read().processes) == [sleeper.pid]
    assert StateFile.acquire(path) is None
    state.release()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("daemon ", "daemon x"),
        lambda text: text.replace("pid:[", "pid:[9"),
        lambda text: text.replace("circus-state 1", "circus-state 2"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("+ ", "+ x"),
        lambda text: "",
        lambda text: "\0" * 100,
    ],
    ids=["another boot", "another namespace", "newer", "torn", "no number", "empty", "zeros"],
)
def test_what_is_not_so_is_not_believed(
    path: str, sleeper: subprocess.Popen[bytes], change: object
) -> None:
    left_by(path, sleeper.pid)
    file = Path(path)
    text = file.read_text()
    assert callable(change)
    file.write_text(change(text))
    again = acquired(path) if change(text) is None else StateFile(path, os.open(path, os.O_RDWR))
    assert not list(living_in(again.read()))


def test_another_start_time_is_another_process(path: str, sleeper: subprocess.Popen[bytes]) -> None:
    records = left_by(path, sleeper.pid)
    process = records.processes[sleeper.pid]
    records.processes[sleeper.pid] = process._replace(started=process.started - 1)
    assert not LeftProcesses(records).look()
    assert LeftProcesses(records).stop(lambda _: Farewell()) == []
    assert sleeper.poll() is None


def test_a_file_of_others_is_refused(path: str) -> None:
    Path(path).touch()
    os.chmod(path, 0o606)
    with pytest.raises(SystemProblem, match="only we may write"):
        StateFile.acquire(path)
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    with pytest.raises(SystemProblem):
        StateFile.acquire(path)


def test_a_folder_that_goes_is_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir()
    state = acquired(str(folder / "state"))
    state.begin()
    (folder / "state").unlink()
    folder.rmdir()
    for _ in range(2000):
        state.began(os.getpid(), TAG, "1 web")
        state.ended(os.getpid())
    state.release()


def test_whole_sessions_are_stopped(path: str) -> None:
    child = subprocess.Popen(
        ["sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"],
        start_new_session=True,
    )
    left = LeftProcesses(left_by(path, child.pid))
    assert child.pid in left.look()
    assert left.stop(lambda _: Farewell(grace=0.1)) == []
    assert child.wait(30) == -9
