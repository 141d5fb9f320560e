"""Files of keys: what is in them, and which of them are refused."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from cvec_circus_core.model.access import KnownKey, Role
from cvec_circus_core.model.curve_keys import (
    BadKeys,
    KeyPair,
    read_key,
    read_known,
    read_pair,
    read_servers,
    server_of,
    write_known,
    write_pair,
    write_servers,
)
from cvec_circus_core.system.key_files import change_known, client_keys, daemon_keys, trust
from cvec_circus_core.system.private_files import read_private, rewrite, write_new

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32
PAIR = KeyPair(A, B)
ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")


def test_a_key_is_read_as_hexadecimal_digits_and_as_zeromq_writes_it() -> None:
    public, _ = zmq.curve_keypair()
    raw = z85.decode(public)
    assert read_key(public.decode()) == read_key(f" {raw.hex().upper()}\n") == raw.hex()


@pytest.mark.parametrize("text", ["", "aa", "g" * 64, A + "a", "~" * 40, "#" * 40, "ключ"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadKeys, match="is no key"):
        read_key(text)


def test_lists_are_read_as_they_are_written() -> None:
    known = (KnownKey("alice", Role.OPERATOR, A), KnownKey("b.c@d", Role.GUEST, B))
    assert read_known(write_known(known), "f") == known
    servers = {"host": A, "host:5555": B, "[::1]:1": C}
    assert read_servers(write_servers(servers), "f") == servers
    assert read_pair(write_pair(PAIR), "f") == PAIR
    assert B not in repr(PAIR)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("alice operator", "f:1: a line is NAME ROLE KEY"),
        (f"# x\n\nalice king {A}", "f:3: a role is operator, viewer or guest, not 'king'"),
        ("alice viewer 12", "f:1: '12' is no key"),
        (f"al/ice viewer {A}", "f:1: 'al/ice' can not be a name"),
        (f"a viewer {A}\nb operator {A}", "f:2: b has the key of a"),
    ],
)
def test_a_mistake_in_a_list_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(BadKeys) as refused:
        read_known(text, "f")
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("endpoint", "key"),
    [
        ("tcp://there:5555", B),
        ("tcp://THERE:5556", A),
        ("tcp://elsewhere:5555", None),
        ("tcp://[fe80::1]:7", C),
        ("ipc:///there:5555", None),
    ],
)
def test_a_daemon_is_known_by_its_port_or_its_host(endpoint: str, key: str | None) -> None:
    servers = {"there": A, "there:5555": B, "[fe80::1]": C}
    assert server_of(servers, endpoint) == key


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "key"
    before = os.umask(0)
    try:
        write_new(str(file), "secret")
        rewrite(str(file.parent / "list"), lambda text: text + "one\n")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (file, file.parent / "list", file.parent)]
    assert modes == [0o600, 0o600, 0o700]
    with pytest.raises(BadKeys, match="already exists"):
        write_new(str(file), "another")
    assert read_private(str(file)) == "secret"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(BadKeys):
        write_new(str(tmp_path / "link"), "secret")
    (tmp_path / ".list.new").symlink_to(tmp_path / "target")
    rewrite(str(tmp_path / "list"), lambda text: "one")
    assert not (tmp_path / "target").exists()


def mode(number: int) -> Callable[[Path], None]:
    return lambda file: file.chmod(number)


def owned_by_another(file: Path) -> None:
    os.chown(file, 12345, -1)


def linked_in_a_shared_folder(file: Path) -> None:
    target = file.parent.parent / "target"
    file.rename(target)
    file.parent.chmod(0o1777)
    file.symlink_to(target)


def linked(file: Path) -> None:
    target = file.parent.parent / "target"
    file.rename(target)
    file.symlink_to(target)


def in_a_folder_of_everybody(file: Path) -> None:
    file.parent.chmod(0o777)


def in_a_folder_of_another(file: Path) -> None:
    os.chown(file.parent, 12345, -1)


def below_a_folder_of_another(file: Path) -> None:
    """Let another user own a folder further up."""
    os.chown(file.parent.parent, 12345, -1)


def below_a_folder_of_everybody(file: Path) -> None:
    file.parent.parent.chmod(0o777)


def by_a_link_of_another(file: Path) -> None:
    """Let another user own the link by which its folder is reached."""
    real = file.parent.with_name("real")
    file.parent.rename(real)
    file.parent.symlink_to(real)
    os.chown(file.parent, 12345, -1, follow_symlinks=False)


def below_a_sticky_folder(file: Path) -> None:
    file.parent.parent.chmod(0o1777)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


@pytest.mark.parametrize(
    ("change", "secret", "public"),
    [
        (mode(0o600), None, None),
        (mode(0o400), None, None),
        (mode(0o640), "can be read by others (mode 640): chmod 600", None),
        (mode(0o604), "can be read by others (mode 604)", None),
        (mode(0o620), "can be read by others (mode 620)", "can be written by others (mode 620)"),
        (mode(0o602), "can be read by others (mode 602)", "can be written by others (mode 602)"),
        pytest.param(
            owned_by_another, "belongs to user '12345'", "belongs to user '12345'", marks=ONLY_ROOT
        ),
        (linked, None, None),
        (linked_in_a_shared_folder, "is a link in a folder", "is a link in a folder"),
        (in_a_folder_of_everybody, "put another file in its place", "put another file"),
        pytest.param(
            in_a_folder_of_another, "belongs to user '12345'", "belongs to user", marks=ONLY_ROOT
        ),
        pytest.param(
            below_a_folder_of_another, "belongs to user '12345'", "belongs to", marks=ONLY_ROOT
        ),
        pytest.param(
            by_a_link_of_another, "user '12345' could have put", "'12345'", marks=ONLY_ROOT
        ),
        (below_a_folder_of_everybody, "put another file in its place", "put another file"),
        (below_a_sticky_folder, None, None),
        (a_folder, "is no plain file", "is no plain file"),
        (a_pipe, "is no plain file", "is no plain file"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_what_others_could_have_a_hand_in_is_refused(
    tmp_path: Path, change: Callable[[Path], None], secret: str | None, public: str | None
) -> None:
    file = tmp_path / "folder" / "key"
    write_new(str(file), "text")
    change(file)
    for is_secret, refusal in ((True, secret), (False, public)):
        if refusal is None:
            assert read_private(str(file), secret=is_secret) == "text"
            continue
        with pytest.raises(BadKeys) as refused:
            read_private(str(file), secret=is_secret)
        assert refusal in str(refused.value)
        assert str(file) in str(refused.value)


def test_many_who_change_a_list_at_once_lose_nothing(tmp_path: Path) -> None:
    file = str(tmp_path / "authorized_keys")

    def add(number: int) -> None:
        one = KnownKey(f"n{number}", Role.VIEWER, f"{number:064x}")
        change_known(file, lambda known: (*known, one))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert len(read_known(read_private(file), file)) == 20
    assert os.listdir(tmp_path) == ["authorized_keys"]


def test_a_daemon_without_a_list_lets_nobody_in(tmp_path: Path) -> None:
    file = str(tmp_path / "daemon.key")
    with pytest.raises(BadKeys, match=r"is not there: circusctl keygen --daemon .* makes it"):
        daemon_keys(file, None)
    write_new(file, write_pair(PAIR))
    assert daemon_keys(file, None).known == {}
    change_known(str(tmp_path / "authorized_keys"), lambda _: (KnownKey("a", Role.VIEWER, C),))
    assert list(daemon_keys(file, None).known) == [C]
    assert daemon_keys(file, str(tmp_path / "another")).known == {}


def test_a_caller_needs_the_daemons_key_and_his_own(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert client_keys(folder, "tcp://there:1") is None
    trust(folder, "There", C)
    assert client_keys(folder, "tcp://elsewhere:1") is None
    with pytest.raises(BadKeys, match=r"no key of yours at .*client.key: circusctl keygen makes"):
        client_keys(folder, "tcp://there:1")
    write_new(str(tmp_path / "client.key"), write_pair(PAIR))
    found = client_keys(folder, "tcp://there:1")
    assert found is not None
    assert (found.server, found.own) == (C, PAIR)
