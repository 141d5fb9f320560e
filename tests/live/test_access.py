"""Who may do what: real users, all endpoints, and whoever tries to be taken for somebody else."""

from __future__ import annotations

import os
import select
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.daemon import Daemon, free_port, until
from tests.live.others import Other, connected, received, send

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root can be other users"),
    pytest.mark.skipif(not os.path.exists("/proc/net"), reason="only Linux tells who calls"),
]

ROOT, LISTED, GROUPED, VIEWER, OPERATOR, OTHER = 0, 20001, 65534, 20002, 20003, 20009
NOT_ALLOWED = 7

CIRCUS = f"allow_users = {LISTED}\nallow_groups = nogroup\nviewers = {VIEWER}\n"
WATCHERS = f"""
[watcher:web]
cmd = sleep 1000
env = PASSWORD=secret
graceful_timeout = 5
allow_users = {OPERATOR} @nobody-is-in-this key:gus

[watcher:db]
cmd = sleep 1000
graceful_timeout = 5
"""

Start = Callable[..., Daemon]


@pytest.fixture(scope="module")
def many(start_shared: Start) -> dict[str, Daemon]:
    """Start a daemon on each kind of endpoint."""
    return {kind: of_kind(start_shared, kind) for kind in ("ipc", "tcp4", "tcp6")}


def of_kind(start: Start, kind: str, body: str = WATCHERS, circus: str = CIRCUS) -> Daemon:
    """Start a daemon whose folder others may enter, on one kind of endpoint."""
    host = {"tcp6": "[::1]"}.get(kind, "127.0.0.1")
    daemon = start(body, circus=circus, tcp=kind != "ipc", host=host)
    for folder in (daemon.folder, daemon.folder / "doors"):
        folder.chmod(0o755)
    return daemon


ALL = {ROOT, LISTED, GROUPED}
READERS = {*ALL, VIEWER}
WEB = {"name": "web"}
DB = {"name": "db"}

MATRIX: list[tuple[str, dict[str, Any], set[int]]] = [
    ("list", {}, {*READERS, OPERATOR}),
    ("list", WEB, {*READERS, OPERATOR}),
    ("list", DB, READERS),
    ("status", {}, {*READERS, OPERATOR}),
    ("status", DB, READERS),
    ("stats", {}, {*READERS, OPERATOR}),
    ("stats", DB, READERS),
    ("dstats", {}, READERS),
    ("numwatchers", {}, {*READERS, OPERATOR}),
    ("globaloptions", {}, READERS),
    ("listsockets", {}, READERS),
    ("options", WEB, {*READERS, OPERATOR}),
    ("get", {**WEB, "keys": ["cmd", "env"]}, {*READERS, OPERATOR}),
    ("options", DB, READERS),
    ("env", WEB, ALL),
    ("env", DB, ALL),
    ("incr", {**WEB, "waiting": True}, {*ALL, OPERATOR}),
    ("decr", {**WEB, "waiting": True}, {*ALL, OPERATOR}),
    ("signal", {**WEB, "signum": "CONT"}, {*ALL, OPERATOR}),
    ("stop", {**WEB, "waiting": True}, {*ALL, OPERATOR}),
    ("start", {**WEB, "waiting": True}, {*ALL, OPERATOR}),
    ("restart", {"name": "we*", "waiting": True}, {*ALL, OPERATOR}),
    ("stop", {"name": "*", "waiting": True}, ALL),
    ("stop", {"name": ".*b", "match": "regex", "waiting": True}, ALL),
    ("start", {"waiting": True}, ALL),
    ("signal", {**DB, "signum": "CONT"}, ALL),
    ("kill", {**DB, "signum": "CONT", "graceful_timeout": 0.1}, ALL),
    ("incr", DB, ALL),
    ("decr", DB, ALL),
    ("set", {**WEB, "options": {"numprocesses": 1}}, ALL),
    ("set", {**WEB, "options": {"cmd": "id"}}, set()),
    ("set", {**WEB, "options": {"allow_users": "20009"}}, set()),
    ("add", {"name": "new", "cmd": "true"}, ALL),
    ("rm", {"name": "new", "waiting": True}, ALL),
    ("reloadconfig", {"waiting": True}, ALL),
    ("stop", {"name": "nope"}, set()),
    ("quit", {}, set()),
    ("nope", {}, set()),
]


@pytest.mark.parametrize("kind", ["ipc", "tcp4", "tcp6"])
@pytest.mark.parametrize("uid", [ROOT, LISTED, GROUPED, VIEWER, OPERATOR, OTHER])
def test_every_user_at_every_endpoint(
    many: dict[str, Daemon], other: Callable[..., Other], kind: str, uid: int
) -> None:
    # What nobody may, whoever may everything could: it is not tried.
    asked = [row for row in MATRIX if row[2] or uid not in ALL]
    endpoint = many[kind].endpoint
    replies = other(uid, "ask", endpoint).asks([(row[0], row[1]) for row in asked])
    found = {
        (row[0], str(row[1])): reply.get("errno") in (NOT_ALLOWED, 2)
        for row, reply in zip(asked, replies, strict=True)
    }
    assert found == {(row[0], str(row[1])): uid not in row[2] for row in asked}, replies
    assert {str(one.get("tb")) for one in replies} == {"None"}
    if uid not in ALL:
        assert "secret" not in str(replies)


@pytest.mark.parametrize(
    ("uid", "command", "properties", "reason"),
    [
        (OTHER, "stop", WEB, "user '20009' may not use 'stop'; allow_users in [circus] lets them"),
        (OTHER, "list", {}, "user '20009' may not use 'list'; viewers in [circus] lets them"),
        (
            OTHER,
            "stop",
            {"name": 3},
            "user '20009' may not use 'stop'; allow_users in [circus] lets",
        ),
        (VIEWER, "stop", WEB, "user '20002' may not use 'stop'; allow_users in [circus] lets them"),
        (
            OPERATOR,
            "stop",
            DB,
            "user '20003' may not use 'stop'; allow_users in [circus] lets them",
        ),
        (
            OPERATOR,
            "status",
            DB,
            "user '20003' may not use 'status'; viewers in [circus] lets them",
        ),
        (
            OPERATOR,
            "incr",
            {**WEB, "nb": 1_000_000},
            "user '20003' may not use 'incr' for so many processes of web; "
            "max_numprocesses in [watcher:web], now 100, lets them",
        ),
    ],
)
def test_a_refusal_says_who_what_and_what_would_let_them(
    many: dict[str, Daemon],
    other: Callable[..., Other],
    uid: int,
    command: str,
    properties: dict[str, Any],
    reason: str,
) -> None:
    [reply] = other(uid, "ask", many["tcp4"].endpoint).asks([(command, properties)])
    assert reply["errno"] == NOT_ALLOWED
    assert reply["reason"].startswith(reason)


@pytest.mark.parametrize("kind", ["ipc", "tcp4", "tcp6"])
def test_events_are_for_those_who_may_read(
    many: dict[str, Daemon], other: Callable[..., Other], kind: str
) -> None:
    daemon = many[kind]
    may = {uid: other(uid, "hear", daemon.events) for uid in (ROOT, LISTED, GROUPED, VIEWER)}
    may_not = {uid: other(uid, "hear", daemon.events) for uid in (OPERATOR, OTHER)}
    for one in may_not.values():
        assert one.said.readline() == "turned away\n"
    for one in may.values():
        while not has_line(one):
            daemon.ok("set", name="db", options={"warmup_delay": 0})
        assert one.said.readline().startswith(("heard watcher.db.", "heard audit.db."))
    for one in may_not.values():
        one.told.write("\n")
        one.told.flush()
        assert one.said.readline() == "0\n"


def has_line(one: Other) -> bool:
    """Tell whether it says something soon."""
    return bool(select.select([one.said], [], [], 0.05)[0])


@pytest.mark.parametrize("kind", ["ipc", "tcp4", "tcp6"])
def test_a_storm_of_the_hasty_gets_nothing_and_disturbs_nobody(
    start: Start, other: Callable[..., Other], kind: str
) -> None:
    daemon = of_kind(start, kind, circus="viewers = 20002\n")
    count = 700
    began = time.monotonic()
    storms = [other(OTHER, "storm", daemon.endpoint, count, f"evil-{n}") for n in range(2)]
    mine = 0
    while any(storm._process.poll() is None for storm in storms):
        # Connections of root's come and go between: their descriptors are those of the others.
        with connected(daemon.endpoint) as one:
            one.settimeout(20)
            send(one, {"command": "add", "properties": good(mine)})
            said = b""
            while b'"status"' not in said:
                said += received(one)
            assert b'"status":"ok"' in said, said
        mine += 1
    rate = 2 * count / (time.monotonic() - began)
    for one in storms:
        assert one.wait() == f"{count}\n"
    # The last of them may still be on their way through the daemon.
    names = daemon.ok("list")["watchers"]
    until(lambda: daemon.ok("list")["watchers"] == names)
    assert [name for name in names if name.startswith("evil")] == []
    assert len([name for name in names if name.startswith("good")]) == mine
    assert mine > 10
    assert "evil" not in [line.split(" INFO ")[-1] for line in granted(daemon)]
    print(f"{kind}: {rate:.0f} hasty connections a second, {mine} of root's between them")


@pytest.mark.parametrize(
    "greeting",
    [
        b"\x01\x00",
        b"\xff" + bytes(8) + b"\x7f\x01\x05\x00\x00",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["ZMTP 1", "ZMTP 2", "HTTP"],
)
def test_who_does_not_shake_hands_is_not_heard(many: dict[str, Daemon], greeting: bytes) -> None:
    request = b'{"command": "add", "properties": {"name": "unheard", "cmd": "true"}}'
    with connected(many["tcp4"].endpoint) as one:
        one.settimeout(20)
        one.sendall(greeting + bytes([len(request) + 1, 0]) + request)
        with pytest.raises(ConnectionError):
            read_to_the_end(one)
    assert "unheard" not in many["tcp4"].ok("list")["watchers"]


def read_to_the_end(one: socket.socket) -> None:
    """Read until the other side hangs up. Raises ConnectionError."""
    while True:
        received(one)


def good(number: int) -> dict[str, Any]:
    """Return a harmless watcher."""
    return {"name": f"good-{number}", "cmd": "true"}


def granted(daemon: Daemon) -> list[str]:
    """Return the lines that tell of acts of another user that were carried out."""
    return [
        line
        for line in daemon.text().splitlines()
        if "(uid 20009" in line and line.endswith(": ok")
    ]


def test_lists_change_by_reloadconfig_for_those_who_are_there_already(
    start: Start, other: Callable[..., Other]
) -> None:
    daemon = of_kind(start, "tcp4", circus=f"viewers = {VIEWER}\n")
    hearing = other(VIEWER, "hear", daemon.events)
    while not has_line(hearing):
        daemon.ok("set", name="db", options={"warmup_delay": 0})
    [refused] = other(LISTED, "ask", daemon.endpoint).asks([("stop", WEB)])
    daemon.circus = f"allow_users = {LISTED}\n"
    daemon.write(WATCHERS)
    daemon.ok("reloadconfig", waiting=True)
    [reply] = other(VIEWER, "ask", daemon.endpoint).asks([("list", {})])
    [allowed] = other(LISTED, "ask", daemon.endpoint).asks([("stop", WEB)])
    assert (refused["errno"], reply["errno"]) == (NOT_ALLOWED, NOT_ALLOWED)
    assert allowed["status"] == "ok"
    assert other(VIEWER, "hear", daemon.events).said.readline() == "turned away\n"


@pytest.mark.parametrize(
    ("circus", "owner", "mode"),
    [("", 0, 0o600), (f"endpoint_owner = {LISTED}", LISTED, 0o600), ("viewers = 1", 0, 0o666)],
)
def test_the_files_of_endpoints(start: Start, circus: str, owner: int, mode: int) -> None:
    daemon = of_kind(start, "ipc", body="", circus=circus)
    for endpoint in (daemon.endpoint, daemon.events):
        found = Path(endpoint.removeprefix("ipc://")).stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (owner, mode)


def test_the_owner_of_the_endpoint_gets_in(start: Start, other: Callable[..., Other]) -> None:
    daemon = of_kind(start, "ipc", circus=f"endpoint_owner = {LISTED}")
    [reply] = other(LISTED, "ask", daemon.endpoint).asks([("stop", WEB)])
    assert reply["status"] == "ok"


@pytest.mark.parametrize(
    ("control", "circus", "told"),
    [
        ("tcp://0.0.0.0:{port}", "", "can be reached by other machines"),
        ("tcp://*:{port}", "", "say insecure = True in [circus]"),
        ("tcp://[::]:{port}", "", "can be reached by other machines"),
        ("ipc://{folder}/control", "", "in a folder where every user may replace it"),
    ],
)
def test_what_is_not_safe_is_not_bound(control: str, circus: str, told: str) -> None:
    daemon = Daemon("", circus=circus)
    daemon.endpoint = control.format(port=free_port(), folder=daemon.folder)
    daemon.write("")
    daemon.folder.chmod(0o777)
    try:
        assert daemon.launch().wait(20) == 1
        assert told in daemon.text()
        assert "Traceback" not in daemon.text()
    finally:
        daemon.clean_up()


def test_insecure_in_words_obeys_everybody(start: Start, other: Callable[..., Other]) -> None:
    daemon = start(WATCHERS, circus="insecure = True", tcp=True, host="0.0.0.0")
    [reply] = other(OTHER, "ask", daemon.endpoint).asks([("list", {})])
    assert reply["status"] == "ok"
    assert daemon.said("obeys everybody who can reach it: insecure = True")


def test_insecure_changes_nothing_where_only_this_machine_calls(
    many: dict[str, Daemon], start: Start, other: Callable[..., Other]
) -> None:
    daemon = of_kind(start, "tcp4", circus="insecure = True")
    [reply] = other(OTHER, "ask", daemon.endpoint).asks([("list", {})])
    assert reply["errno"] == NOT_ALLOWED


def test_the_log_tells_who_did_what_and_no_secret(
    start: Start, other: Callable[..., Other]
) -> None:
    daemon = of_kind(start, "tcp4", circus=f"allow_users = {LISTED}")
    options = {"env": {"TOKEN": "hidden-value"}, "numprocesses": 2}
    other(LISTED, "ask", daemon.endpoint).asks([("set", {**WEB, "options": options})])
    other(OTHER, "ask", daemon.endpoint).asks([("add", {"name": "a\nb", "cmd": "x hidden-value"})])
    other(OTHER, "ask", daemon.endpoint).asks([("list", {})] * 30)
    daemon.ok("list")
    text = daemon.text()
    assert "user '20001' (uid 20001): set name=web options='env,numprocesses': ok" in text
    assert "user '20009' (uid 20009): add name='a\\nb': refused: " in text
    assert "hidden-value" not in "\n".join(x for x in text.splitlines() if "(uid 2000" in x)
    assert text.count("user '20009' (uid 20009): list: refused") < 12
    assert daemon.ok("options", name="web")["options"]["env"]["TOKEN"] == "hidden-value"
