"""Who may write in a folder can not lead a daemon with more rights to another file.

`theirs` belongs to another user, `open_` is like /tmp, `ours` is ours alone. Each row puts
something in the way, and tells why a file or a pid file is not opened there.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvec_circus_core.daemon.log_targets import LogFile
from cvec_circus_core.model.bind_plan import BindPlan
from cvec_circus_core.model.errors import CannotBind, SystemProblem
from cvec_circus_core.system.files import open_append
from cvec_circus_core.system.net.endpoint_files import folder_doubts, give
from cvec_circus_core.system.net.sockets import CircusSocket
from cvec_circus_core.system.pidfile import PidFile, PidFileProblem
from cvec_circus_core.system.trusted_paths import UntrustedPath, hold
from cvec_circus_plugins.streams._backups import pack, shift

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
OTHER = 65534
THIRD = 54321


@pytest.fixture
def place() -> Iterator[Path]:
    """Folders of three owners, and a file that nobody shall touch."""
    with tempfile.TemporaryDirectory(prefix="trusted-") as name:
        top = Path(name)
        top.chmod(0o755)
        for folder in ("theirs", "open_", "ours", "wild", "precious"):
            (top / folder).mkdir()
        (top / "precious" / "file").write_text("precious")
        os.chown(top / "theirs", OTHER, OTHER)
        (top / "open_").chmod(0o1777)
        (top / "wild").chmod(0o777)
        yield top
        assert (top / "precious" / "file").read_text() == "precious"
        assert stat.S_IMODE((top / "precious" / "file").stat().st_mode) == 0o644
        assert os.listdir(top / "precious") == ["file"]


def link(at: Path, to: Path | str, owner: int = OTHER) -> None:
    at.symlink_to(to)
    os.chown(at, owner, owner, follow_symlinks=False)


def plain(at: Path, owner: int) -> None:
    at.write_text("")
    os.chown(at, owner, owner)


def pipe(at: Path) -> None:
    os.mkfifo(at)
    os.chown(at, OTHER, OTHER)


Trap = Callable[[Path], None]

TRAPS: list[tuple[str, str, Trap, str]] = [
    (
        "a link to a file",
        "theirs/log",
        lambda top: link(top / "theirs/log", top / "precious/file"),
        "'log' is a symbolic link that user 'nobody' could have put there",
    ),
    (
        "a link of root's, which its folder's owner could have moved there",
        "theirs/log",
        lambda top: link(top / "theirs/log", top / "precious/file", 0),
        "'log' is a symbolic link that user 'nobody' could have put there",
    ),
    (
        "a link that leads nowhere yet",
        "theirs/log",
        lambda top: link(top / "theirs/log", top / "precious/new"),
        "is a symbolic link",
    ),
    (
        "a link to a folder",
        "theirs/logs/file",
        lambda top: link(top / "theirs/logs", top / "precious"),
        "'logs' is a symbolic link that user 'nobody' could have put there",
    ),
    (
        "a link up and away",
        "theirs/logs/file",
        lambda top: link(top / "theirs/logs", "../precious"),
        "is a symbolic link",
    ),
    (
        "a second name of a file",
        "theirs/log",
        lambda top: os.link(top / "precious/file", top / "theirs/log"),
        "more than one name",
    ),
    ("a pipe", "theirs/log", lambda top: pipe(top / "theirs/log"), "(plain file|no such device)"),
    (
        "a link in a folder like /tmp",
        "open_/log",
        lambda top: link(top / "open_/log", top / "precious/file"),
        "is a symbolic link",
    ),
    (
        "a stranger's file in a folder like /tmp",
        "open_/log",
        lambda top: plain(top / "open_/log", OTHER),
        "belongs to user 'nobody', in a folder that everybody may write",
    ),
    (
        "a link of root's where everybody may move it",
        "wild/log",
        lambda top: link(top / "wild/log", top / "precious/file", 0),
        "is a symbolic link",
    ),
]


@pytest.mark.parametrize(
    ("where", "trap", "sentence"), [row[1:] for row in TRAPS], ids=[row[0] for row in TRAPS]
)
def test_a_file_is_not_opened(place: Path, where: str, trap: Trap, sentence: str) -> None:
    trap(place)
    for open_it in (open_append, LogFile):
        with pytest.raises(SystemProblem, match=sentence) as said:
            open_it(str(place / where))
        assert str(place / where) in said.value.reason


@pytest.mark.parametrize(
    ("where", "trap"), [row[1:3] for row in TRAPS], ids=[row[0] for row in TRAPS]
)
def test_a_pid_file_is_not_written(place: Path, where: str, trap: Trap) -> None:
    trap(place)
    with pytest.raises(PidFileProblem):
        PidFile(place / where).acquire()


def test_a_pid_file_is_not_put_where_everybody_may_replace_it(place: Path) -> None:
    with pytest.raises(PidFileProblem, match="a folder where every user may replace it"):
        PidFile(place / "wild" / "pid").acquire()


@pytest.mark.parametrize("where", ["theirs/log", "open_/log", "wild/log", "ours/log"])
def test_a_file_of_ours_is_opened_again(place: Path, where: str) -> None:
    for _ in range(2):
        fd = open_append(str(place / where))
        os.write(fd, b"x")
        os.close(fd)
    assert (place / where).read_text() == "xx"


def test_a_file_of_the_folders_owner_is_opened(place: Path) -> None:
    plain(place / "theirs/log", OTHER)
    os.close(open_append(str(place / "theirs/log")))


def test_a_file_of_the_streams_user_is_opened_in_a_folder_like_tmp(place: Path) -> None:
    plain(place / "open_/log", THIRD)
    os.close(open_append(str(place / "open_/log"), user=THIRD))


def test_links_of_root_are_followed(place: Path) -> None:
    (place / "real").mkdir()
    link(place / "a", "b", 0)
    link(place / "b", place / "real", 0)
    link(place / "open_/way", place / "real", 0)
    link(place / "ours/log", "../real/log", 0)
    for way in ("a/log", "b/../real/log", "open_/way/log", "ours/log"):
        os.close(open_append(str(place / way)))
        assert (place / "real/log").exists()
        (place / "real/log").unlink()


def test_links_in_a_circle_end() -> None:
    with tempfile.TemporaryDirectory() as top:
        os.symlink("b", f"{top}/a")
        os.symlink("a", f"{top}/b")
        with pytest.raises(SystemProblem, match="too many levels of symbolic links"):
            open_append(f"{top}/a/log")


def test_no_log_is_ever_made_that_everybody_may_write(place: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_append(str(place / "ours/log")))
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "ours/log").stat().st_mode) == 0o664


@pytest.mark.parametrize("device", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null"])
def test_devices_are_opened(device: str) -> None:
    read, write = os.pipe()
    kept = os.dup(1)
    os.dup2(write, 1)
    try:
        fd = open_append(device)
        os.write(fd, b"x")
        os.close(fd)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(write)
    assert os.read(read, 9) == (b"" if device == "/dev/null" else b"x")
    os.close(read)


def test_a_log_that_is_out_of_reach_goes_to_standard_error(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = LogFile(str(place / "theirs/log"))
    (place / "theirs/log").unlink()
    link(place / "theirs/log", place / "precious/file")
    handler.emit(logging.makeLogRecord({"msg": "one thing"}))
    handler.close()
    assert "one thing (not in the log: " in capsys.readouterr().err


def test_old_files_are_not_packed_into_another(place: Path) -> None:
    (place / "theirs/log.1").write_text("said")
    link(place / "theirs/log.1.gz.part", place / "precious/file")
    pack(str(place / "theirs/log.1"))
    assert sorted(os.listdir(place / "theirs")) == ["log.1.gz"]
    link(place / "theirs/log.2", place / "precious/file")
    with pytest.raises(OSError, match="symbolic link"):
        pack(str(place / "theirs/log.2"))
    link(place / "theirs/logs", place / "precious")
    with pytest.raises(UntrustedPath):
        shift(str(place / "theirs/logs/file"), 3)


def test_a_mode_is_given_to_nothing_but_a_socket(place: Path) -> None:
    path = place / "theirs/control"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        give(f"ipc://{path}", None, to_others=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        path.unlink()
        link(path, place / "precious/file")
        with pytest.raises(CannotBind):
            give(f"ipc://{path}", OTHER, to_others=True)
    path.unlink()
    os.link(place / "precious/file", path)
    with pytest.raises(CannotBind, match="not the socket any more"):
        give(f"ipc://{path}", OTHER, to_others=True)


def test_an_endpoint_is_not_bound_through_a_strangers_link(place: Path) -> None:
    link(place / "theirs/run", place / "precious")
    with pytest.raises(CannotBind, match="'run' is a symbolic link that user 'nobody'"):
        folder_doubts(f"ipc://{place}/theirs/run/control")


def test_a_managed_socket_is_not_bound_through_a_strangers_link(place: Path) -> None:
    link(place / "theirs/run", place / "precious")
    spec = BindPlan(name="web", path=str(place / "theirs/run/file"), replace=True)
    with CircusSocket.of(spec) as made, pytest.raises(CannotBind, match="symbolic link"):
        made.bind_and_listen()


def test_a_managed_sockets_mode_is_given_to_nothing_else(place: Path) -> None:
    path = place / "theirs/web"
    spec = BindPlan(name="web", path=str(path), mode=0o600)
    with CircusSocket.of(spec) as made:
        made.bind_and_listen()
        path.unlink()
        link(path, place / "precious/file")
        with pytest.raises(CannotBind):
            made.adjust(BindPlan(name="web", path=str(path), mode=0o666, owner=str(OTHER)))


def test_nothing_stays_open(place: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    link(place / "theirs/log", place / "precious/file")
    before = count()
    for path in ("theirs/log", "nowhere/x", "ours/log", "theirs/log/x", "open_/x"):
        try:
            with hold(place / path):
                pass
        except (OSError, UntrustedPath):
            pass
    with pytest.raises(OSError, match="Invalid"), hold(""):
        pass
    assert count() == before
