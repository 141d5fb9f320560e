"""Servers that bind their own port: changed, renamed and reloaded while the old one holds it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, free_port, until

pytestmark = pytest.mark.live

SERVER = """
import socket, sys
try:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
except OSError as error:
    sys.exit(str(error))
while True:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(sys.argv[2].encode())
"""


class Site:
    """A daemon with one server, which answers with the word that it was given."""

    def __init__(self, start: Callable[..., Daemon], script: Path) -> None:
        self.script = script
        self.port = free_port()
        self.daemon = start(self.body("web", "old"))
        until(lambda: self.answer() == "old")

    def body(self, name: str, word: str) -> str:
        """Return the configuration."""
        return (
            f"[watcher:{name}]\ncmd = {sys.executable} {self.script} {self.port} {word}\n"
            "ready = alive:2\ngraceful_timeout = 5\nmax_retry = 3\n"
        )

    def answer(self) -> str:
        """Ask the server for its word; an empty one where nobody listens."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                return connection.recv(100).decode()
        except OSError:
            return ""


@pytest.fixture
def site(start: Callable[..., Daemon], tmp_path: Path) -> Site:
    """Start a daemon and its server."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    return Site(start, script)


def test_a_changed_one_takes_the_place_of_the_old_one(site: Site) -> None:
    site.daemon.write(site.body("web", "new"))
    outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode == 0, outcome
    assert site.answer() == "new"


def test_a_renamed_one_starts_when_its_old_self_is_gone(site: Site) -> None:
    site.daemon.write(site.body("other", "new"))
    outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode == 0, outcome
    assert site.answer() == "new"
    text = site.daemon.text().lower()
    assert "address already in use" not in text, "the new one has not met the old one"


def test_a_plain_reload_says_what_helps(site: Site) -> None:
    outcome = site.daemon.control("reload", "web", "--waiting")
    assert outcome.returncode != 0, outcome
    assert "its address is in use" in outcome.stdout + outcome.stderr
    assert site.answer() == "old"


def test_one_that_says_nothing_takes_the_place_of_the_old_one(site: Site) -> None:
    silent = "close_child_stdout = yes\nclose_child_stderr = yes\n"
    site.daemon.write(site.body("web", "new") + silent)
    outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode == 0, outcome
    assert site.answer() == "new"


def test_one_whose_last_words_are_many_takes_the_place_of_the_old_one(site: Site) -> None:
    noisy = SERVER.replace("sys.exit(str(error))", 'sys.exit("x" * 60_000 + "\\n" + str(error))')
    site.script.write_text(noisy)
    site.daemon.write(site.body("web", "new"))
    outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode == 0, outcome
    assert site.answer() == "new"


def test_a_program_that_only_fails_leaves_the_old_one(site: Site) -> None:
    body = site.body("web", "new")
    command = body.splitlines()[1]
    pids = site.daemon.pids("web")
    site.daemon.write(body.replace(command, "cmd = false"))
    assert site.daemon.control("reloadconfig", "--waiting").returncode != 0
    assert (site.answer(), site.daemon.pids("web")) == ("old", pids)


def test_a_port_of_somebody_else_is_told_and_leaves_the_old_one(site: Site) -> None:
    pids = site.daemon.pids("web")
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        site.script.write_text(SERVER.replace("str(error)", 'f"port {sys.argv[1]}: {error}"'))
        site.daemon.write(site.body("web", "new").replace(str(site.port), str(port)))
        outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode != 0, outcome
    said = outcome.stdout + outcome.stderr
    assert f"port {port} is held by process {os.getpid()} (" in said
    assert (site.answer(), site.daemon.pids("web")) == ("old", pids)


MOVER = """
import os, signal, socket, sys
kind, address, word = sys.argv[1:]
if kind == "unix":
    listener, place = socket.socket(socket.AF_UNIX), address
    signal.signal(signal.SIGTERM, lambda *_: (os.unlink(address), os._exit(0)))
elif kind == "udp":
    listener, place = socket.socket(type=socket.SOCK_DGRAM), ("0.0.0.0", int(address))
else:
    listener = socket.socket(socket.AF_INET6 if kind == "::" else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place = (kind, int(address))
try:
    listener.bind(place)
    if kind != "udp":
        listener.listen()
except OSError as error:
    sys.exit(f"{place}: {error}")
while True:
    if kind == "udp":
        listener.sendto(word.encode(), listener.recvfrom(10)[1])
        continue
    connection, _ = listener.accept()
    with connection:
        connection.sendall(word.encode())
"""


def word_at(kind: str, address: str) -> str:
    """Return what is answered at an address; an empty one where nobody is."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(
        family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    ) as asking:
        asking.settimeout(5)
        try:
            asking.connect(address if kind == "unix" else ("127.0.0.1", int(address)))
            if kind == "udp":
                asking.send(b"?")
            return asking.recv(100).decode()
        except OSError:
            return ""


Watchers = dict[str, tuple[str, int, str]]
"""By name: the kind of address, which of the addresses, and further options."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            {"a": ("127.0.0.1", 0, ""), "b": ("127.0.0.1", 1, "")},
            {"a": ("127.0.0.1", 1, ""), "b": ("127.0.0.1", 0, "")},
            id="two exchange their ports",
        ),
        pytest.param(
            {
                "a": ("127.0.0.1", 0, "priority = 3"),
                "b": ("127.0.0.1", 1, "priority = 2"),
                "c": ("127.0.0.1", 2, "priority = 1"),
            },
            {
                "a": ("127.0.0.1", 1, "priority = 3"),
                "b": ("127.0.0.1", 2, "priority = 2"),
                "c": ("127.0.0.1", 0, "priority = 1"),
            },
            id="three in a circle, one after another",
        ),
        pytest.param(
            {"a": ("127.0.0.1", 0, ""), "b": ("127.0.0.1", 1, "graceful_timeout = 4")},
            {"a": ("127.0.0.1", 1, "")},
            id="one takes what a removed one had",
        ),
        pytest.param(
            {"a": ("127.0.0.1", 0, "priority = 2"), "b": ("127.0.0.1", 1, "priority = 1")},
            {
                "a": ("127.0.0.1", 1, "priority = 2"),
                "b": ("127.0.0.1", 1, "priority = 1\nnumprocesses = 0"),
            },
            id="one takes what another has no process for any more",
        ),
        pytest.param(
            {"a": ("127.0.0.1", 0, ""), "b": ("::", 1, "")},
            {"a": ("0.0.0.0", 1, ""), "b": ("::", 0, "")},
            id="wildcards of both families",
        ),
        pytest.param(
            {"a": ("udp", 0, ""), "b": ("udp", 1, "")},
            {"a": ("udp", 1, ""), "b": ("udp", 0, "")},
            id="datagrams",
        ),
        pytest.param(
            {"a": ("unix", 0, ""), "b": ("unix", 1, "")},
            {"a": ("unix", 1, ""), "b": ("unix", 0, "")},
            id="unix sockets",
        ),
        pytest.param(
            {
                "a": ("127.0.0.1", 0, "close_child_stderr = yes"),
                "b": ("127.0.0.1", 1, "close_child_stderr = yes"),
            },
            {
                "a": ("127.0.0.1", 1, "close_child_stderr = yes"),
                "b": ("127.0.0.1", 0, "close_child_stderr = yes"),
            },
            id="two exchange their ports and say nothing",
        ),
    ],
)
def test_an_address_moves_from_one_to_another(
    start: Callable[..., Daemon], tmp_path: Path, before: Watchers, after: Watchers
) -> None:
    script = tmp_path / "mover.py"
    script.write_text(MOVER)
    ports = [str(free_port()) for _ in range(3)]

    def place(kind: str, number: int) -> str:
        return f"{daemon.folder}/{number}.sock" if kind == "unix" else ports[number]

    def body(watchers: Watchers) -> str:
        return "\n".join(
            f"[watcher:{name}]\ncmd = {sys.executable} {script} {kind} {place(kind, number)} {name}"
            f"\nready = alive:1.5\nmax_retry = 3\n{options}\n"
            for name, (kind, number, options) in watchers.items()
        )

    daemon = start("")
    daemon.write(body(before))
    assert daemon.control("reloadconfig", "--waiting").returncode == 0
    expected = [(kind, place(kind, number), name) for name, (kind, number, _) in before.items()]
    until(lambda: all(word_at(kind, address) == name for kind, address, name in expected))
    daemon.write(body(after))
    outcome = daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode == 0, (outcome, daemon.text())
    for name, (kind, number, options) in after.items():
        if "numprocesses = 0" not in options:
            assert word_at(kind, place(kind, number)) == name


@pytest.mark.parametrize("is_renamed", [False, True])
def test_a_managed_socket_takes_the_port_of_a_server_of_its_own(
    site: Site, is_renamed: bool
) -> None:
    name = "other" if is_renamed else "web"
    site.daemon.write(
        f"[socket:listener]\nhost = 127.0.0.1\nport = {site.port}\nblocking = yes\n"
        f"[watcher:{name}]\ncmd = {sys.executable} {site.script} - new\nstdin_socket = listener\n"
        "ready = alive:1.5\n"
    )
    site.script.write_text(
        SERVER.replace(
            'socket.create_server(("127.0.0.1", int(sys.argv[1])))', "socket.socket(fileno=0)"
        )
    )
    outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode == 0, outcome
    assert site.answer() == "new"


def test_a_managed_socket_does_not_take_the_port_of_one_that_stays(site: Site) -> None:
    pids = site.daemon.pids("web")
    body = f"[socket:listener]\nhost = 127.0.0.1\nport = {site.port}\n"
    site.daemon.write(site.body("web", "old") + body)
    outcome = site.daemon.control("reloadconfig", "--waiting")
    assert outcome.returncode != 0, outcome
    assert f"another process listens there already: {pids[0]} (" in outcome.stderr + outcome.stdout
    assert (site.answer(), site.daemon.pids("web")) == ("old", pids)
