"""A managed socket by itself: where it listens, and how it says that it can not."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cvec_circus_core import CircusSocket, CircusSockets
from cvec_circus_core.model.bind_plan import BindPlan
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.values import replace
from cvec_circus_core.system.net.port_holders import holders_of_path, program_of

Make = Callable[..., CircusSocket]
HERE: dict[str, Any] = {"host": "127.0.0.1", "port": 0}
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
MY_PROGRAM = program_of(os.getpid())


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[CircusSocket] = []

    def make(**options: Any) -> CircusSocket:
        made.append(CircusSocket.of(BindPlan(name="web", **options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    # Unix sockets have short names: the folders that pytest makes may be too deep.
    with TemporaryDirectory(prefix="circus-") as name:
        yield Path(name)


def refusal(one: CircusSocket) -> str:
    with pytest.raises(CannotBind) as caught:
        one.bind_and_listen()
    return str(caught.value)


@pytest.mark.parametrize("type", ["SOCK_STREAM", "SOCK_SEQPACKET"])
def test_connections_of_a_unix_socket(make: Make, folder: Path, type: str) -> None:
    one = make(path=str(folder / "s"), type=type, blocking=True)
    one.bind_and_listen()
    with socket.socket(socket.AF_UNIX, one.type) as client:
        client.connect(str(folder / "s"))
        served, _ = one.accept()
        with served:
            served.sendall(b"hello")
        assert client.recv(9) == b"hello"


@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_connections_over_tcp(make: Make, family: str, host: str) -> None:
    one = make(family=family, host=host, port=0, blocking=True)
    one.bind_and_listen()
    assert one.port > 0
    assert one.location == f"{host}:{one.port}"
    with socket.create_connection((host, one.port), timeout=5):
        one.accept()[0].close()


def test_a_name_becomes_its_first_address(make: Make) -> None:
    one = make(host="localhost", port=0)
    one.bind_and_listen()
    assert one.host == "127.0.0.1"


def test_datagrams(make: Make) -> None:
    one = make(type="SOCK_DGRAM", blocking=True, **HERE)
    one.bind_and_listen()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", one.getsockname())
    assert one.recv(9) == b"hello"


def test_nothing_reaches_a_child_that_was_not_told_to_have_it(make: Make) -> None:
    assert not make(**HERE).get_inheritable()


@pytest.mark.parametrize("blocking", [False, True])
def test_blocking(make: Make, blocking: bool) -> None:
    assert make(blocking=blocking, **HERE).getblocking() is blocking


def test_the_backlog_reaches_the_system(make: Make) -> None:
    one = make(backlog=0, **HERE)
    one.bind_and_listen()
    with socket.create_connection(one.getsockname(), timeout=5), socket.socket() as late:
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.connect(one.getsockname())


def test_the_port_of_a_server_that_has_just_ended(make: Make) -> None:
    assert make(**HERE).getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1


def test_two_may_share_a_port_if_both_say_so(make: Make) -> None:
    one = make(so_reuseport=True, **HERE)
    one.bind_and_listen()
    make(host="127.0.0.1", port=one.port, so_reuseport=True).bind_and_listen()
    assert "another process listens there" in refusal(make(host="127.0.0.1", port=one.port))


@pytest.mark.skipif(not IS_ROOT, reason="only root may bind to a device")
def test_a_network_device(make: Make) -> None:
    one = make(interface="lo", **HERE)
    one.bind_and_listen()
    device = one.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    assert device.rstrip(b"\0") == b"lo"


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, 0o767),
        ({"umask": 0o077}, 0o700),
        ({"umask": 0}, 0o777),
        ({"mode": 0o660}, 0o660),
        ({"mode": 0o600, "umask": 0}, 0o600),
    ],
)
def test_the_mode_of_the_file(make: Make, folder: Path, options: dict[str, Any], mode: int) -> None:
    before = os.umask(0o022)
    try:
        make(path=str(folder / "s"), **options).bind_and_listen()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "s").stat().st_mode) == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root may give files away")
def test_the_owner_of_the_file(make: Make, folder: Path) -> None:
    make(path=str(folder / "s"), owner=NOBODY, group=NOBODY).bind_and_listen()
    found = (folder / "s").stat()
    assert (found.st_uid, found.st_gid) == (NOBODY, NOBODY)


def test_an_owner_that_nobody_is_leaves_no_file(make: Make, folder: Path) -> None:
    said = refusal(make(path=str(folder / "s"), owner="nobody-of-that-name"))
    assert "there is no user named 'nobody-of-that-name'" in said
    assert not (folder / "s").exists()


def test_the_file_goes_with_the_socket(make: Make, folder: Path) -> None:
    one = make(path=str(folder / "s"))
    one.bind_and_listen()
    one.close()
    one.close()
    assert not (folder / "s").exists()


def test_the_file_of_another_one_stays(make: Make, folder: Path) -> None:
    old = make(path=str(folder / "s"))
    old.bind_and_listen()
    (folder / "s").unlink()
    new = make(path=str(folder / "s"))
    new.bind_and_listen()
    old.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "s"))


def test_taking_anothers_place_at_once(make: Make, folder: Path) -> None:
    old = make(path=str(folder / "s"))
    old.bind_and_listen()
    new = make(path=str(folder / "s"), blocking=True)
    new.bind_aside()
    assert len(os.listdir(folder)) == 2
    new.take_place()
    old.close()
    assert os.listdir(folder) == ["s"]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "s"))
        new.accept()[0].close()


def test_a_place_that_is_not_taken_after_all(make: Make, folder: Path) -> None:
    make(path=str(folder / "s")).bind_and_listen()
    new = make(path=str(folder / "s"))
    new.bind_aside()
    new.close()
    assert os.listdir(folder) == ["s"]


def test_what_needs_no_new_socket(make: Make, folder: Path) -> None:
    one = make(path=str(folder / "s"), backlog=5)
    one.bind_and_listen()
    one.adjust(replace(one.plan, mode=0o600, backlog=7))
    assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
    assert one.backlog == 7


def test_a_forked_child_leaves_the_file_alone(make: Make, folder: Path) -> None:
    one = make(path=str(folder / "s"))
    one.bind_and_listen()
    if (pid := os.fork()) == 0:
        one.close()
        os._exit(0)
    os.waitpid(pid, 0)
    assert (folder / "s").exists()


def test_a_file_in_the_way(make: Make, folder: Path) -> None:
    (folder / "s").write_text("old")
    said = refusal(make(path=str(folder / "s")))
    assert said == (
        f"[socket:web] can not listen at {folder}/s: "
        "the file already exists (replace = true would remove it)"
    )
    make(path=str(folder / "s"), replace=True).bind_and_listen()
    assert stat.S_ISSOCK((folder / "s").stat().st_mode)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"])
def test_a_file_that_was_left_over_goes(make: Make, folder: Path, kind: str) -> None:
    with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as killed:
        killed.bind(str(folder / "s"))
    make(path=str(folder / "s"), type=kind).bind_and_listen()
    with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as client:
        client.connect(str(folder / "s"))


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM"])
def test_a_socket_that_somebody_has_stays(
    make: Make, folder: Path, kind: str, replace: bool
) -> None:
    make(path=str(folder / "s"), type=kind).bind_and_listen()
    other = make(path=str(folder / "s"), replace=replace)
    sentence = f"another process listens there already: {os.getpid()} ({MY_PROGRAM})"
    assert refusal(other) == f"[socket:web] can not listen at {folder}/s: {sentence}"
    with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as client:
        client.connect(str(folder / "s"))


def test_a_folder_in_the_way_stays(make: Make, folder: Path) -> None:
    (folder / "s").mkdir()
    assert "there is a folder of that name" in refusal(make(path=str(folder / "s"), replace=True))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "/nowhere/at/all/s"}, "can not listen at /nowhere/at/all/s: the folder is not"),
        ({"path": "/tmp/" + "x" * 120}, "the path is too long for a Unix socket"),
        ({"host": "192.0.2.1", "port": 0}, "no network device of this machine has that address"),
        ({"host": "no.such.host.invalid"}, "no IPv4 address is known for the host 'no.such"),
        ({"host": "::1"}, "for the host '::1'; family = AF_INET6 is for such"),
        ({"host": "127.0.0.1", "family": "AF_INET6"}, "no IPv6 address is known for the host"),
    ],
)
def test_it_says_why_it_can_not(make: Make, options: dict[str, Any], said: str) -> None:
    told = refusal(make(**options))
    assert told.startswith("[socket:web] can not listen at ")
    assert said in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"proto": "nonsense"}, "there is no protocol named 'nonsense'"),
        ({"type": "SOCK_RDM"}, "this system has no SOCK_RDM of AF_INET"),
        ({"interface": "no-such-dev"}, "there is no network device for interface 'no-such-dev'"),
    ],
)
def test_it_says_why_it_can_not_be_made(make: Make, options: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotBind) as caught:
        make(**options, **HERE)
    assert str(caught.value) == f"[socket:web] can not be made: {said}"


def test_a_taken_port(make: Make) -> None:
    one = make(**HERE)
    one.bind_and_listen()
    said = refusal(make(host="127.0.0.1", port=one.port))
    assert said == (
        f"[socket:web] can not listen at 127.0.0.1:{one.port}: "
        f"another process listens there already: {os.getpid()} ({MY_PROGRAM})"
    )


def test_a_taken_port_of_datagrams(make: Make) -> None:
    one = make(type="SOCK_DGRAM", **HERE)
    one.bind_and_listen()
    said = refusal(make(type="SOCK_DGRAM", host="127.0.0.1", port=one.port))
    assert f"another process listens there already: {os.getpid()} ({MY_PROGRAM})" in said


def test_one_who_was_handed_a_socket_is_named_when_the_one_that_listened_is_gone(
    make: Make, folder: Path
) -> None:
    # The kernel remembers who called listen, and that one is gone.
    listening = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "s.listen(); s.set_inheritable(True); os.posix_spawn('/bin/sleep', ['sleep', '1000'], {})"
    )
    subprocess.run([sys.executable, "-c", listening, str(folder / "s")], check=True)
    [heir] = holders_of_path(str(folder / "s"))
    try:
        sentence = f"another process listens there already: {heir} (sleep)"
        assert sentence in refusal(make(path=str(folder / "s")))
    finally:
        os.kill(heir, signal.SIGKILL)


@pytest.mark.skipif(IS_ROOT, reason="root may bind low ports")
def test_a_low_port(make: Make) -> None:
    assert "ports below 1024 are for root" in refusal(make(host="127.0.0.1", port=81))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"family": "AF_FOO"}, "family = 'AF_FOO' isn't one of AF_INET"),
        ({"type": "SOCK_SHOES"}, "type = 'SOCK_SHOES' isn't one of"),
        ({"port": "abc"}, "port = 'abc' isn't"),
        ({"port": 70_000}, "port = 70000 isn't"),
    ],
)
def test_an_option_that_can_not_be_used(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        CircusSocket("web", **options)


def test_used_alone_as_its_documents_say() -> None:
    with CircusSocket("web", host="127.0.0.1", port=0, backlog=5) as one:
        one.bind_and_listen()
        assert (one.name, one.backlog, one.family) == ("web", 5, socket.AF_INET)
        assert one.location == f"127.0.0.1:{one.getsockname()[1]}"
        with one.dup() as other:
            assert type(other) is socket.socket
        assert repr(one).startswith("<CircusSocket 'web' at 127.0.0.1:")


def test_from_the_texts_of_a_section() -> None:
    config = {"name": "Web", "host": "127.0.0.1", "port": "0", "type": "sock_dgram"}
    with CircusSocket.load_from_config(config) as one:
        assert (one.name, one.type) == ("web", socket.SOCK_DGRAM)
    with pytest.raises(ValueError, match="port = 'http' isn't an integer"):
        CircusSocket.load_from_config({"port": "http"})
    with pytest.raises(ValueError, match="a socket has no option 'prot'"):
        CircusSocket.load_from_config({"prot": "tcp"})


def test_many_by_name(folder: Path) -> None:
    many = CircusSockets([{"name": "a", **HERE}], backlog=7)
    many.add("b", path=str(folder / "b"))
    many.add("c", so_reuseport=True, **HERE)
    try:
        many.bind_and_listen_all()
        assert [one.backlog for one in many.values()] == [7, 7, 7]
        assert many["a"].port > 0
        assert many["c"].port == 0
    finally:
        many.close_all()
    assert not (folder / "b").exists()


def test_of_many_the_good_ones_are_bound(make: Make) -> None:
    taken = make(**HERE)
    taken.bind_and_listen()
    here = {"host": "127.0.0.1", "port": taken.port}
    many = CircusSockets([{"name": "a", **here}, {"name": "b", **HERE}, {"name": "c", **here}])
    try:
        refusals = r"\[socket:a\].* already: .*; \[socket:c\].* already: "
        with pytest.raises(CannotBind, match=refusals):
            many.bind_and_listen_all()
        assert many["b"].port > 0
    finally:
        many.close_all()
