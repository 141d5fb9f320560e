"""Other machines are let in by key: roles, revocation, and whoever has no key, or a wrong one."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zmq

from cvec_circus_core import AsyncCircusClient, CircusClient, CurveKeys
from cvec_circus_core.model.errors import CallError
from tests.live.daemon import BIN, LIMIT, Daemon, until
from tests.live.keyring import Keyring, Start, by_key
from tests.live.others import Other, connected, received, send
from tests.live.test_access import (
    MATRIX,
    NOT_ALLOWED,
    OPERATOR,
    OTHER,
    ROOT,
    VIEWER,
    WATCHERS,
    has_line,
)

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root can be other users"),
    pytest.mark.skipif(not os.path.exists("/proc/net"), reason="only Linux tells who calls"),
]

ROLES = {"olga": ("operator", ROOT), "vera": ("viewer", VIEWER), "gus": ("guest", OPERATOR)}
"""People, their roles, and the user of the matrix who may the same."""

Others = Callable[..., Other]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    ring = Keyring(tmp_path_factory.mktemp("ring"))
    for name, (role, _) in ROLES.items():
        ring.person(name, role)
    ring.person("eve", None)
    return ring


@pytest.fixture(scope="module")
def shared(start_shared: Start, ring: Keyring) -> Daemon:
    return by_key(start_shared, ring, WATCHERS)


@pytest.mark.parametrize("name", ROLES)
def test_every_role_in_the_matrix(shared: Daemon, ring: Keyring, other: Others, name: str) -> None:
    uid = ROLES[name][1]
    asked = [row for row in MATRIX if row[2] or uid != ROOT]
    # Who the caller is on this machine does not count: he is root, whose key may less.
    user = OTHER if name == "olga" else ROOT
    asks = other(user, "ask", shared.endpoint, keys=ring.words(name))
    replies = asks.asks([(row[0], row[1]) for row in asked])
    found = {
        (row[0], str(row[1])): reply.get("errno") in (NOT_ALLOWED, 2)
        for row, reply in zip(asked, replies, strict=True)
    }
    assert found == {(row[0], str(row[1])): uid not in row[2] for row in asked}, replies
    if name != "olga":
        assert "secret" not in str(replies)


@pytest.mark.parametrize("uid", [ROOT, OTHER])
@pytest.mark.parametrize("shows", ["nothing", "an unknown key", "a key for another daemon"])
def test_without_the_right_key_nobody_is_answered(
    shared: Daemon, ring: Keyring, other: Others, uid: int, shows: str
) -> None:
    words = {
        "nothing": None,
        "an unknown key": ring.words("eve"),
        "a key for another daemon": ring.words_for_another_daemon("olga"),
    }[shows]
    if words is not None:
        assert other(uid, "ask", shared.endpoint, keys=words).gets_no_answer()
        assert other(uid, "hear", shared.events, keys=words).said.readline() == "turned away\n"
        return
    request = {"command": "add", "properties": {"name": "unheard", "cmd": "true"}}
    with connected(shared.endpoint) as one:
        one.settimeout(20)
        with pytest.raises(ConnectionError):
            converse(one, request)
    assert "unheard" not in shared.ok("list")["watchers"]


def converse(one: socket.socket, request: dict[str, Any]) -> None:
    """Shake hands plainly, send a request, and read to the end. Raises ConnectionError."""
    send(one, request)
    while True:
        received(one)


def test_events_by_role(shared: Daemon, ring: Keyring, other: Others) -> None:
    may = [other(OTHER, "hear", shared.events, keys=ring.words(name)) for name in ("olga", "vera")]
    may_not = [other(ROOT, "hear", shared.events, keys=ring.words(name)) for name in ("gus", "eve")]
    for one in may:
        while not has_line(one):
            shared.ok("set", name="db", options={"warmup_delay": 0})
        assert one.said.readline().startswith("heard ")
    for one in may_not:
        assert one.said.readline() == "turned away\n"
        one.told.write("\n")
        one.told.flush()
        assert one.said.readline() == "0\n"


def control(
    ring: Keyring, name: str, endpoint: str, words: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run circusctl as somebody."""
    command = [BIN / "circusctl", "--endpoint", endpoint, "--timeout", "3", *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={**os.environ, "CIRCUS_KEYS": str(ring.folder / name)},
    )


@pytest.mark.parametrize(
    ("name", "words", "code", "told"),
    [
        ("olga", ["status", "web"], 0, "active"),
        ("vera", ["numwatchers"], 0, "2"),
        (
            "vera",
            ["stop", "web"],
            3,
            "key 'vera' may not use 'stop'; circusctl authorize --role operator",
        ),
        (
            "gus",
            ["stop", "db"],
            3,
            "key 'gus' may not use 'stop'; circusctl authorize --role operator",
        ),
        ("eve", ["status"], 1, "is not authorized there (circusctl authorize)"),
        ("nobody", ["status"], 1, "takes only those who show a key"),
    ],
)
def test_circusctl_finds_its_key_by_itself(
    shared: Daemon, ring: Keyring, name: str, words: list[str], code: int, told: str
) -> None:
    endpoint = shared.endpoint.replace("0.0.0.0", "127.0.0.1")
    done = control(ring, name, endpoint, words)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr


def test_nothing_is_said_to_who_has_not_the_daemons_key(start: Start, ring: Keyring) -> None:
    plain = start(WATCHERS, tcp=True)
    done = control(ring, "olga", plain.endpoint, ["stop", "web"])
    assert done.returncode == 1
    assert "shows no key, though a daemon is known there by one: nothing was sent" in done.stderr
    assert plain.status("web")["status"] == "active"


def test_the_clients_of_the_library(shared: Daemon, ring: Keyring) -> None:
    endpoint = shared.endpoint.replace("0.0.0.0", "127.0.0.1")
    for keys in (str(ring.folder / "vera"), ring.keys("vera")):
        with CircusClient(endpoint=endpoint, keys=keys) as client:
            assert client.send_message("list")["status"] == "ok"
    wrong = CurveKeys(ring.server, ring.keys("eve").own)
    with (
        CircusClient(endpoint=endpoint, timeout=2, keys=wrong) as client,
        pytest.raises(CallError, match="does not let you in: your key"),
    ):
        client.send_message("list")

    async def ask() -> str:
        async with AsyncCircusClient(endpoint=endpoint, keys=ring.keys("olga")) as client:
            return str((await client.send_message("list"))["status"])

    assert asyncio.run(ask()) == "ok"


def test_who_is_revoked_is_out_with_the_connections_that_he_has(
    start: Start, ring: Keyring, other: Others
) -> None:
    ring.person("rita", "operator")
    ring.person("vito", "viewer")
    daemon = by_key(start, ring, WATCHERS)
    hearing = other(OTHER, "hear", daemon.events, keys=ring.words("vito"))
    while not has_line(hearing):
        daemon.ok("set", name="db", options={"warmup_delay": 0})
    with (
        CircusClient(endpoint=daemon.endpoint, timeout=5, keys=ring.keys("rita")) as client,
        Subscribed(daemon.events, ring.keys("vito")) as silent,
    ):
        assert client.send_message("list")["status"] == "ok"
        assert not client.is_broken()
        ring.revoke("rita")
        ring.revoke("vito")
        assert client.send_message("list")["status"] == "ok", "a list counts when it is read"
        # Whoever asks for that gets the answer, though he is the one who goes.
        assert client.send_message("reloadconfig", waiting=True)["status"] == "ok"
        assert client.send_message("stop", name="web")["errno"] == NOT_ALLOWED
        until(client.is_broken)
        with pytest.raises(CallError, match="does not let you in"):
            client.send_message("list")
        until(silent.is_gone)
    assert daemon.ok("list")
    ring.authorize("vito", "viewer")
    daemon.ok("reloadconfig", waiting=True)
    [reply] = other(OTHER, "ask", daemon.endpoint, keys=ring.words("vito")).asks([("list", {})])
    assert reply["status"] == "ok"


class Subscribed:
    """A subscription to something that never happens."""

    def __init__(self, endpoint: str, keys: CurveKeys) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.curve_serverkey = bytes.fromhex(keys.server)
        self._socket.curve_publickey = bytes.fromhex(keys.own.public)
        self._socket.curve_secretkey = bytes.fromhex(keys.own.secret)
        self._socket.subscribe(b"watcher.never.")
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self._news = self._socket.get_monitor_socket(events)
        self._socket.connect(endpoint)
        assert self._news.poll(round(LIMIT * 1000)), "nobody shakes hands"
        self._news.recv_multipart()

    def is_gone(self) -> bool:
        """Tell whether the other side has hung up."""
        return bool(self._news.poll(0))

    def __enter__(self) -> Subscribed:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.disable_monitor()
        self._socket.close(linger=0)


def test_a_list_with_a_mistake_changes_nothing(start: Start, ring: Keyring) -> None:
    daemon = by_key(start, ring, WATCHERS)
    list_ = ring.daemon_key.parent / "authorized_keys"
    before = list_.read_text(encoding="utf-8")
    try:
        list_.write_text(f"{before}nonsense\n", encoding="utf-8")
        errno, reason = daemon.refused("reloadconfig")
        assert (errno, "a line is NAME ROLE KEY" in reason) == (5, True)
        assert daemon.ok("list")["watchers"]
        list_.write_text(before, encoding="utf-8")
        list_.chmod(0o666)
        assert "can be written by others" in daemon.refused("reloadconfig")[1]
    finally:
        list_.write_text(before, encoding="utf-8")
        list_.chmod(0o600)
    daemon.ok("reloadconfig")


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (0o640, "can be read by others (mode 640): chmod 600"),
        (None, "is not there: circusctl keygen"),
    ],
)
def test_a_bad_key_of_the_daemon_is_told(tmp_path: Path, mode: int | None, told: str) -> None:
    ring = Keyring(tmp_path)
    if mode is None:
        ring.daemon_key.unlink()
    else:
        ring.daemon_key.chmod(mode)
    file = tmp_path / "circus.ini"
    file.write_text(f"[circus]\n{ring.circus}endpoint = tcp://0.0.0.0:*\n", encoding="utf-8")
    for words in (["--check"], []):
        done = subprocess.run(
            [BIN / "circusd", *words, str(file)], capture_output=True, text=True, timeout=LIMIT
        )
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_a_plugin_of_the_daemon_needs_no_key(start: Start, ring: Keyring) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        port = statsd.getsockname()[1]
        plugin = f"[plugin:statsd]\nuse = statsd_emitter\nhost = 127.0.0.1\nport = {port}\n"
        daemon = by_key(start, ring, WATCHERS + plugin)
        daemon.until_active("plugin:statsd")
        until(lambda: daemon.said("[INFO] Starting\n"))

        def hears() -> bool:
            # What happens before its subscription has arrived is not told to it.
            daemon.ok("restart", name="db", waiting=True)
            return bool(select.select([statsd], [], [], 1.0)[0])

        until(hears)
        assert statsd.recv(2000).startswith(b"circus.")


def test_a_plugin_elsewhere_shows_its_key(shared: Daemon, ring: Keyring, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = ["--endpoint", shared.endpoint, "--pubsub", shared.events]
    known = ring.person("paula", "viewer", host="0.0.0.0")
    shared.ok("reloadconfig", waiting=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [BIN / "circus-plugin", *words, "--keys", str(known), "flapping"],
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: "Starting" in log.read_text(encoding="utf-8"))
        # It hears of this one's deaths, and may ask of it, but not stop it.
        shared.ok("add", name="shaky", cmd="false", start=True, options={"retry_pause_max": 0.2})
        until(lambda: shared.said("key 'paula' may not use 'stop'"))
        assert process.poll() is None, log.read_text(encoding="utf-8")
    finally:
        shared.ok("rm", name="shaky", waiting=True)
        process.terminate()
        assert process.wait(LIMIT) == 0, log.read_text(encoding="utf-8")


def test_files_and_the_log_show_no_secret(shared: Daemon, ring: Keyring) -> None:
    secrets = [ring.keys(name).own.secret for name in ("olga", "vera", "gus", "boss")]
    secrets.append(ring.daemon_key.read_text(encoding="utf-8").split("secret = ")[1].strip())
    said = shared.text() + str(shared.ok("globaloptions")) + str(shared.ok("dstats"))
    assert [secret for secret in secrets if secret in said] == []
    for file in (ring.daemon_key, ring.folder / "olga" / "client.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_storm_of_the_hasty_gets_nothing_and_disturbs_nobody(
    shared: Daemon, ring: Keyring, other: Others
) -> None:
    storms = [
        other(OTHER, "hasty", shared.endpoint, 400, f"hasty-{name}", keys=ring.words(name))
        for name in ("vera", "gus", "eve")
    ]
    answered = 0
    while any(storm._process.poll() is None for storm in storms):
        assert shared.ok("list")["watchers"]
        answered += 1
    for storm in storms:
        assert storm.wait().strip() == "400"
    print(f"{answered} good requests were answered meanwhile")
    assert answered > 10
    assert not [name for name in shared.ok("list")["watchers"] if name.startswith("hasty")]
    # Who has a right to anything gets it afterwards, too.
    (reply,) = other(OTHER, "ask", shared.endpoint, keys=ring.words("vera")).asks([("list", {})])
    assert reply["watchers"] == shared.ok("list")["watchers"]
