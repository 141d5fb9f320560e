"""The examples of docs/examples do what the pages say, with endpoints of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from pwd import getpwuid

import pytest

from tests.programs import Control, Environment, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "docs" / "examples"
HERE = Environment(Path(sys.prefix))
CONTROL, EVENTS = "tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"

pytestmark = pytest.mark.live


def moved(example: str, folder: Path, **others: str) -> Path:
    """Copy a configuration with other endpoints, and whatever else has to differ."""
    text = (EXAMPLES / example).read_text(encoding="utf-8")
    for old, new in {
        CONTROL: f"ipc://{folder}/control",
        EVENTS: f"ipc://{folder}/events",
        **others,
    }.items():
        assert old in text
        text = text.replace(old, new)
    copy = folder / example
    copy.write_text(text, encoding="utf-8")
    return copy


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answer(port: int) -> dict[str, int] | None:
    """Return who answers at the quick start's port, if anybody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as reply:
            said: dict[str, int] = json.load(reply)
            return said
    except OSError:
        return None


@pytest.fixture
def quick_start(tmp_path: Path) -> Iterator[tuple[Control, int]]:
    port = free_port()
    others = {
        "--port 8000": f"--port {port}",
        "statsd = True": f"stats_endpoint = ipc://{tmp_path}/stats",
    }
    configuration = moved("quickstart.ini", tmp_path, **others)
    ask = Control(HERE, f"ipc://{tmp_path}/control")
    with HERE.running("circusd", str(configuration), log=tmp_path / "log", cwd=ROOT) as daemon:
        ask.wait_for("active", "status", "web")
        yield ask, port
        assert ask("quit", "--waiting")[:2] == (0, "ok\n")
        assert daemon.wait(timeout=20) == 0
    assert answer(port) is None


def test_three_workers_answer(quick_start: tuple[Control, int]) -> None:
    ask, port = quick_start
    seen: dict[int, int] = {}

    def all_met() -> bool:
        if said := answer(port):
            seen[said["wid"]] = said["pid"]
        return len(seen) == 3

    wait_until(all_met)
    assert sorted(seen) == [1, 2, 3]
    assert sorted(seen.values()) == sorted(ask.pids("web"))


def test_the_first_minutes_go_as_told(quick_start: tuple[Control, int]) -> None:
    ask, port = quick_start
    assert ask("status")[1] == "circusd-stats: active\nweb: active\n"
    before = ask.pids("web")
    assert ask("incr", "web")[1] == "4\n"
    wait_until(lambda: len(ask.pids("web")) == 4)
    assert ask("set", "web", "graceful_timeout", "5")[1] == "ok\n"
    assert ask("reload", "web", "--waiting")[1] == "ok\n"
    assert not set(before) & set(ask.pids("web"))
    wait_until(lambda: answer(port) is not None)


def test_the_listener_tells_a_death_and_the_next_life(tmp_path: Path) -> None:
    configuration = moved("example1.ini", tmp_path)
    ask = Control(HERE, f"ipc://{tmp_path}/control")
    heard = tmp_path / "heard"
    with HERE.running("circusd", str(configuration), log=tmp_path / "log", cwd=EXAMPLES):
        ask.wait_for("active", "status", "dummy2")
        assert [len(ask.pids(name)) for name in ("dummy", "dummy2")] == [5, 3]
        listener = ("-u", str(EXAMPLES / "listener.py"), f"ipc://{tmp_path}/events")
        with HERE.running("python", *listener, log=heard):
            victim = ask.pids("dummy2")[0]
            # The subscription takes a moment: something that repeats tells when it is there.
            wait_until(
                lambda: bool(ask("set", "dummy", "warmup_delay", "0")) and "updated" in read(heard)
            )
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: "watcher.dummy2.spawn" in read(heard))
        told = [line.partition(" ")[::2] for line in read(heard).splitlines() if "dummy2" in line]
    assert [topic for topic, _ in told] == ["watcher.dummy2.reap", "watcher.dummy2.spawn"]
    reap, spawn = (json.loads(body) for _, body in told)
    assert (reap["process_pid"], reap["exit_code"]) == (victim, -signal.SIGKILL)
    assert spawn["process_id"] == reap["process_id"]


def test_sockets_are_served_in_three_ways(tmp_path: Path) -> None:
    ports = {str(old): str(free_port()) for old in (8000, 8001, 8002)}
    configuration = moved("sockets.ini", tmp_path, **{f"= {a}": f"= {b}" for a, b in ports.items()})
    ask = Control(HERE, f"ipc://{tmp_path}/control")
    with HERE.running("circusd", str(configuration), log=tmp_path / "log", cwd=ROOT):
        ask.wait_for("active", "status", "quotes")
        assert ask("status", "clock")[1] == "stopped\n"
        for name, port in zip(("web", "quotes", "clock"), ports.values(), strict=True):
            assert f"socket '{name}' at 127.0.0.1:{port}\n" in ask("listsockets")[1]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as reply:
                pid = int(reply.read())
            ask.wait_for("active", "status", name)
            assert pid in ask.pids(name)
        assert ask("quit", "--waiting")[:2] == (0, "ok\n")


def test_a_database_outlives_its_workers(tmp_path: Path) -> None:
    configuration = moved("order.ini", tmp_path)
    ask = Control(HERE, f"ipc://{tmp_path}/control")
    log = tmp_path / "log"
    with HERE.running("circusd", str(configuration), log=log, cwd=ROOT):
        ask.wait_for("active", "status", "worker")
        assert len(ask.pids("worker")) == 2
        assert ask("quit", "--waiting")[:2] == (0, "ok\n")
    text = read(log)
    assert text.index("running database") < text.index("running worker")
    assert text.index("worker stopped") < text.index("database stopped")


def read(log: Path) -> str:
    """Return what a program has said so far."""
    return log.read_text(encoding="utf-8")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_the_hardened_server_has_few_rights(tmp_path: Path) -> None:
    # What it serves does not matter here, and not every python3 may be run by everybody.
    served = {"python3 -m http.server --bind 127.0.0.1 8080": "sleep 1000"}
    configuration = moved("hardened.ini", tmp_path, **served)
    ask = Control(HERE, f"ipc://{tmp_path}/control")
    with HERE.running("circusd", str(configuration), log=tmp_path / "log", cwd=ROOT):
        ask.wait_for("active", "status", "web")
        (pid,) = ask.pids("web")
        wait_until(lambda: read(Path(f"/proc/{pid}/comm")) == "sleep\n")
        rows = (line.partition(":\t") for line in read(Path(f"/proc/{pid}/status")).splitlines())
        status = {key: value.split()[0] for key, _, value in rows if value}
        wanted = {"Uid": "65534", "NoNewPrivs": "1", "Umask": "0077"}
        wanted |= dict.fromkeys(("CapPrm", "CapEff", "CapBnd", "CapAmb"), f"{1 << 10:016x}")
        assert {key: status[key] for key in wanted} == wanted
        assert read(Path(f"/proc/{pid}/oom_score_adj")) == "300\n"
        nobody = getpwuid(65534)
        environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": nobody.pw_dir,
            "USER": nobody.pw_name,
            "LOGNAME": nobody.pw_name,
            "SHELL": nobody.pw_shell,
        }
        lines = read(Path(f"/proc/{pid}/environ")).removesuffix("\0").split("\0")
        variables = dict(line.split("=", 1) for line in lines)
        assert variables.pop("NOTIFY_SOCKET").startswith("@cvec-circus/notify/")
        assert variables == environ
        assert ask("quit", "--waiting")[:2] == (0, "ok\n")
