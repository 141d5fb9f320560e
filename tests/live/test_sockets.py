"""Managed sockets: servers of others run on them unmodified, and processes have only their own."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.clients import (
    Address,
    address,
    connected,
    descriptor,
    who,
    who_echoes,
    who_serves,
)
from tests.live.conftest import Start
from tests.live.daemon import LIMIT, ROOT, Daemon, free_port, until

PYTHON = sys.executable
BIN = Path(sys.prefix) / "bin"
SERVE = f"{PYTHON} {ROOT}/tests/live/serving.py"
WEB = "[socket:web]\nhost = 127.0.0.1\nport = 0\n"
DNS = "[socket:dns]\nhost = 127.0.0.1\nport = 0\ntype = SOCK_DGRAM\n"


def watcher(cmd: str, *options: str, name: str = "w", uses: bool = True) -> str:
    words = ("use_sockets = yes", *options) if uses else options
    lines = "\n".join((f"cmd = {cmd}", f"env = PYTHONPATH={ROOT}", "graceful_timeout = 5", *words))
    return f"[watcher:{name}]\n{lines}\n"


def has(pid: int) -> dict[int, str]:
    """Return what a process has open, beside its standard streams."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
    return {fd: where for fd, where in found.items() if fd > 2}


@pytest.mark.parametrize(
    ("cmd", "section", "ask"),
    [
        (f"{SERVE} fd $(circus.sockets.web)", WEB, who),
        (f"{SERVE} fd ((circus.sockets.WEB))", WEB, who),
        (f"{SERVE} udp $(circus.sockets.dns)", DNS, who_echoes),
        (f"{SERVE} wsgiref $(circus.sockets.web)", WEB, who_serves),
        (f"{SERVE} waitress $(circus.sockets.web)", WEB, who_serves),
        (f"{BIN}/uvicorn --fd $(circus.sockets.web) tests.live.serving:asgi", WEB, who_serves),
        (f"{BIN}/gunicorn -b fd://$(circus.sockets.web) tests.live.serving:wsgi", WEB, who_serves),
        (f"{BIN}/chaussette --fd $(circus.sockets.web) tests.live.serving.wsgi", WEB, who_serves),
        (f"{BIN}/gunicorn tests.live.serving:wsgi", WEB, who_serves),
        (f"{SERVE} listed web", WEB, who),
    ],
    ids=[
        *("by number", "by another spelling", "datagrams", "wsgiref", "waitress", "uvicorn"),
        *("gunicorn", "chaussette", "gunicorn by LISTEN_FDS", "by LISTEN_FDS"),
    ],
)
def test_servers(start: Start, cmd: str, section: str, ask: Callable[[Address], int]) -> None:
    program = Path(cmd.split()[0])
    if not program.exists():
        pytest.skip(f"{program.name} is not installed")
    daemon = start(section + watcher(cmd, "numprocesses = 2"))
    pids = daemon.until_active("w")
    where = address(daemon, "dns" if "dns" in section else "web")
    answering = ask(where)
    assert answering in family(pids)


def family(pids: list[int]) -> set[int]:
    """Return processes and their children."""
    found = set(pids)
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text()
            found.update(map(int, children.split()))
    return found


def test_a_unix_socket_as_standard_input(start: Start, tmp_path: Path) -> None:
    path = f"/tmp/circus-{os.getpid()}.sock"
    section = f"[socket:ux]\npath = {path}\nmode = 600\n"
    daemon = start(section + watcher(f"{SERVE} stdin", "stdin_socket = ux", uses=False))
    (pid,) = daemon.until_active("w")
    assert address(daemon, "ux") == path
    assert who(path) == pid
    assert not has(pid).keys() - {3, 4}
    daemon.stop()
    assert not os.path.exists(path)


def test_each_has_only_what_it_uses(start: Start) -> None:
    others = "[socket:a]\nport = 0\n[socket:b]\nport = 0\n[socket:c]\nport = 0\n"
    sleep = "sleep 1000"
    daemon = start(
        others
        + watcher(f"{sleep} || echo $(circus.sockets.b)", "shell = yes", name="number")
        + watcher(sleep, "env = FD=$(circus.sockets.c)", name="env").replace(
            f"env = PYTHONPATH={ROOT}\n", ""
        )
        + watcher(sleep, name="all")
        + watcher(sleep, "sockets = c a", name="listed", uses=False)
        + watcher(sleep, name="none", uses=False)
    )
    numbers = {name: descriptor(daemon, name) for name in "abc"}
    inside = has(daemon.process.pid)
    links = {name: inside[fd] for name, fd in numbers.items()}
    wanted = {
        "number": {numbers["b"]: links["b"]},
        "env": {numbers["c"]: links["c"]},
        "all": {3: links["a"], 4: links["b"], 5: links["c"]},
        "listed": {3: links["c"], 4: links["a"]},
        "none": {},
    }
    for name, open_ones in wanted.items():
        (pid,) = daemon.until_active(name)
        until(lambda pid=pid: "sleep" in Path(f"/proc/{pid}/cmdline").read_text())  # type: ignore[misc]
        # The loader of programs has a library open for a moment.
        until(lambda pid=pid, wanted=open_ones: has(pid) == wanted)  # type: ignore[misc]


def test_they_stay_open_whatever_the_watcher_does(start: Start) -> None:
    daemon = start(WEB + watcher(f"{SERVE} fd $(circus.sockets.web)"))
    daemon.until_active("w")
    where, number = address(daemon, "web"), descriptor(daemon, "web")
    daemon.ok("stop", name="w", waiting=True)
    with connected(where) as waiting:
        daemon.ok("start", name="w", waiting=True)
        (pid,) = daemon.pids("w")
        assert int(waiting.recv(100)) == pid
    daemon.ok("restart", name="w", waiting=True)
    assert who(where) == daemon.pids("w")[0] != pid
    daemon.ok("restart", waiting=True)
    assert (address(daemon, "web"), descriptor(daemon, "web")) == (where, number)


def test_a_reload_refuses_nobody(start: Start) -> None:
    daemon = start(WEB + watcher(f"{SERVE} fd $(circus.sockets.web)", "numprocesses = 2"))
    daemon.until_active("w")
    where = address(daemon, "web")
    number = daemon.caller.send("reload", name="w", waiting=True)
    seen = {who(where) for _ in range(200)}
    assert daemon.caller.answer(number)["status"] == "ok"
    assert who(where) in daemon.pids("w")
    assert len(seen) >= 1


@pytest.mark.parametrize("place", ["cmd", "args"])
@pytest.mark.parametrize("section", [WEB, DNS], ids=["tcp", "udp"])
def test_each_process_with_a_socket_of_its_own(start: Start, place: str, section: str) -> None:
    name, how, ask = ("web", "fd", who) if section == WEB else ("dns", "udp", who_echoes)
    variable = f"$(circus.sockets.{name})"
    cmd, args = (f"{how} {variable}", "") if place == "cmd" else (how, f"args = {variable}")
    body = watcher(f"{SERVE} {cmd}", "numprocesses = 3", args)
    daemon = start(f"{section}so_reuseport = yes\n{body}")
    pids = daemon.until_active("w")
    mine = [link for link in has(daemon.process.pid).values() if link.startswith("socket:")]
    theirs = [link for pid in pids for link in has(pid).values() if link.startswith("socket:")]
    assert len(set(theirs)) == 3
    assert not set(theirs) & set(mine)
    where, met = address(daemon, name), set()

    def all_met() -> bool:
        met.add(ask(where))
        return met == set(pids)

    until(all_met)


def refused_start(body: str, *flags: str) -> tuple[int, str]:
    daemon = Daemon(body, *flags)
    try:
        code = daemon.launch().wait(LIMIT)
        return code, daemon.text()
    finally:
        daemon.clean_up()


def test_with_bad_sockets_nothing_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused_start(
            f"[socket:a]\nhost = 127.0.0.1\nport = {port}\n[socket:b]\npath = /no/such/b\n"
            + WEB
            + watcher("sleep 1000"),
        )
    assert code == 1
    assert (
        f"[socket:a] can not listen at 127.0.0.1:{port}: another process listens there already"
        in said
    )
    assert "[socket:b] can not listen at /no/such/b: the folder is not there" in said
    assert "Traceback" not in said
    assert "process [pid" not in said


BAD = {
    "taken": ("host = 127.0.0.1\nport = {taken}", "another process listens there already"),
    "folder": ("path = /no/such/file", "the folder is not there"),
    "forbidden": ("path = /sys/kernel/file", "permission denied"),
    "family": ("family = AF_NOPE", "isn't one of AF_INET, AF_INET6 or AF_UNIX"),
    "address": ("host = 192.0.2.1\nport = 0", "no network device of this machine has that address"),
}


def test_bad_sockets_can_be_left_out(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        bad = "".join(f"[socket:{name}]\n{lines}\n" for name, (lines, _) in BAD.items())
        daemon = start(
            bad.replace("{taken}", str(port))
            + WEB
            + watcher(f"{SERVE} fd $(circus.sockets.web)")
            + watcher("sleep 1000", "stdin_socket = folder", "max_retry = 1", name="lost"),
            "--skip-bad",
        )
        (pid,) = daemon.until_active("w")
    assert who(address(daemon, "web")) == pid
    until(lambda: "the socket 'folder' is not there" in str(daemon.status("lost")["reason"]))
    assert [one["name"] for one in daemon.ok("listsockets")["sockets"]] == ["web"]
    for name, (_, why) in BAD.items():
        assert any(
            f"[socket:{name}]" in line and why in line for line in daemon.text().splitlines()
        )


def test_commands(start: Start) -> None:
    daemon = start(WEB + watcher(f"{SERVE} fd $(circus.sockets.web)"))
    daemon.until_active("w")
    where = address(daemon, "web")
    assert not isinstance(where, str)
    host, port = where
    fd = descriptor(daemon, "web")
    assert daemon.ok("listsockets")["sockets"] == [
        {"fd": fd, "name": "web", "backlog": 2048, "host": host, "port": port}
    ]
    said = daemon.control("listsockets").stdout
    assert said == f"{fd}:socket 'web' at 127.0.0.1:{port}\n"

    made = daemon.ok("addsocket", name="More", options={"host": "127.0.0.1", "port": 0})["socket"]
    assert (made["name"], made["port"] > 0) == ("more", True)
    cmd = f"{SERVE} fd $(circus.sockets.more)"
    how = {"use_sockets": True}
    daemon.ok("add", name="m", cmd=cmd, options=how, start=True, waiting=True)
    assert who(address(daemon, "more")) == daemon.pids("m")[0]
    assert daemon.refused("rmsocket", name="more") == (5, "socket 'more' is used by m")
    daemon.ok("rm", name="m", waiting=True)
    daemon.ok("rmsocket", name="MORE")
    assert len(daemon.ok("listsockets")["sockets"]) == 1


@pytest.mark.parametrize(
    ("command", "properties", "reason"),
    [
        ("rmsocket", {"name": "none"}, "no socket is named 'none'"),
        ("addsocket", {"name": "web"}, "there is a socket named 'web' already"),
        ("addsocket", {"name": " "}, "'name' is empty"),
        ("addsocket", {"name": "x", "options": {"port": "http"}}, "'port' isn't an integer"),
        (
            "addsocket",
            {"name": "x", "options": {"prot": 1}},
            "unknown key 'prot'; did you mean proto?",
        ),
        (
            "addsocket",
            {"name": "x", "options": {"path": "/no/x"}},
            "[socket:x] can not listen at /no/x: the folder is not there",
        ),
        (
            "add",
            {"name": "x", "cmd": "x $(circus.sockets.y)", "options": {"use_sockets": True}},
            "'cmd' names the socket 'y', which is not defined",
        ),
    ],
)
def test_refusals(start: Start, command: str, properties: dict[str, object], reason: str) -> None:
    daemon = start(WEB)
    assert reason in daemon.refused(command, **properties)[1]


class TestReloadconfig:
    """Only those whose sockets differ get new processes."""

    SERVING = watcher(f"{SERVE} fd $(circus.sockets.web)")
    OTHER = "[socket:other]\nhost = 127.0.0.1\nport = 0\n"
    BESIDE = watcher(f"{SERVE} fd $(circus.sockets.other)", name="beside")

    def reload(self, daemon: Daemon, body: str) -> None:
        daemon.write(body)
        daemon.ok("reloadconfig", waiting=True)

    def test_a_changed_socket(self, start: Start) -> None:
        port = free_port()
        daemon = start(WEB + self.OTHER + self.SERVING + self.BESIDE)
        (old,), kept = daemon.until_active("w"), daemon.until_active("beside")
        changed = WEB.replace("port = 0", f"port = {port}")
        self.reload(daemon, changed + self.OTHER + self.SERVING + self.BESIDE)
        (new,) = daemon.pids("w")
        assert who(("127.0.0.1", port)) == new != old
        assert daemon.pids("beside") == kept

    def test_the_same_port_at_another_address(self, start: Start) -> None:
        port = free_port()
        here = f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n"
        daemon = start(here + self.SERVING)
        (old,) = daemon.until_active("w")
        self.reload(daemon, here.replace("127.0.0.1", "0.0.0.0") + self.SERVING)
        until(lambda: daemon.status("w")["running"] == 1)
        assert address(daemon, "web") == ("0.0.0.0", port)
        assert who(("127.0.0.1", port)) == daemon.pids("w")[0] != old

    def test_the_queue_alone(self, start: Start) -> None:
        daemon = start(WEB + self.SERVING)
        kept, where = daemon.until_active("w"), address(daemon, "web")
        self.reload(daemon, WEB + "backlog = 9\n" + self.SERVING)
        assert daemon.ok("listsockets")["sockets"][0]["backlog"] == 9
        assert (daemon.pids("w"), address(daemon, "web")) == (kept, where)

    def test_one_more_and_one_less(self, start: Start) -> None:
        daemon = start(WEB + self.SERVING)
        kept = daemon.until_active("w")
        self.reload(daemon, WEB + self.OTHER + self.SERVING + self.BESIDE)
        (pid,) = daemon.until_active("beside")
        assert who(address(daemon, "other")) == pid
        self.reload(daemon, WEB + self.SERVING)
        assert [one["name"] for one in daemon.ok("listsockets")["sockets"]] == ["web"]
        assert daemon.pids("w") == kept

    def test_what_can_not_be_had_changes_nothing(self, start: Start) -> None:
        daemon = start(WEB + self.SERVING)
        kept, where = daemon.until_active("w"), address(daemon, "web")
        daemon.write(
            WEB + "blocking = yes\n[socket:other]\npath = /no/bad\n" + self.SERVING + self.BESIDE
        )
        reason = daemon.refused("reloadconfig", waiting=True)[1]
        assert reason == "[socket:other] can not listen at /no/bad: the folder is not there"
        assert (daemon.pids("w"), address(daemon, "web")) == (kept, where)
        assert who(where) == kept[0]
        assert daemon.ok("list")["watchers"] == ["w"]

    def test_one_that_a_watcher_of_the_run_time_uses_stays(self, start: Start) -> None:
        daemon = start(WEB + self.OTHER)
        daemon.ok("add", name="m", cmd="sleep 1000", options={"sockets": ["other"]})
        daemon.write(WEB)
        reason = daemon.refused("reloadconfig", waiting=True)[1]
        assert reason == "[socket:other] is gone, but watcher m uses it"
        assert len(daemon.ok("listsockets")["sockets"]) == 2
