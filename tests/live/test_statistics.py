"""Live statistics: the numbers, the stream, who may hear it, and what happens when it breaks."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cvec_circus_core import StatsClient
from tests.live.daemon import BIN, LIMIT, ROOT, Daemon, free_port, until
from tests.live.others import Other
from tests.programs import Environment

Start = Callable[..., Daemon]
WORKER = Path(__file__).parent / "working.py"
EXAMPLE = ROOT / "docs" / "examples" / "hungry.py"
NEAR = 0.05
"""How far numbers may be from what psutil and ps say."""


def section(name: str, *words: object, count: int = 1) -> str:
    """Return the section of a watcher with workers of `working.py`."""
    cmd = " ".join(map(str, (sys.executable, "-S", WORKER, *words)))
    return f"[watcher:{name}]\ncmd = {cmd}\nnumprocesses = {count}\ngraceful_timeout = 5\n"


def with_stats(start: Start, body: str, *, circus: str = "", **how: Any) -> tuple[Daemon, str]:
    """Start a daemon with statistics, and return where they are."""
    where = f"tcp://127.0.0.1:{free_port()}"
    return start(body, circus=f"stats_endpoint = {where}\n{circus}", **how), where


class Heard:
    """What comes from a statistics endpoint, by topic."""

    def __init__(self, client: StatsClient) -> None:
        self.client = client
        self.last: dict[tuple[str, str | None], dict[str, Any]] = {}
        self.count = 0

    def until(self, fact: Callable[[], Any]) -> Any:
        """Listen until something is so."""
        end = time.monotonic() + LIMIT
        while not (found := fact()):
            assert time.monotonic() < end, sorted(self.last)
            if (stat := self.client.receive(1.0)) is not None:
                self.last[stat[0], stat[1]] = stat[2]
                self.count += 1
        return found

    def of(self, watcher: str, pid: int | None = None) -> dict[str, Any]:
        """Return what is told next of a watcher, or of one of its processes."""
        key = (watcher, None if pid is None else str(pid))
        self.last.pop(key, None)
        found: dict[str, Any] = self.until(lambda: self.last.get(key))
        return found


@contextmanager
def hearing(endpoint: str, *topics: str) -> Iterator[Heard]:
    """Listen to statistics."""
    with StatsClient(endpoint, topics=topics or ("stat.",)) as client:
        yield Heard(client)


WORKERS = "".join(
    (
        section("busy", "busy"),
        section("Sleeping One", "sleeping", count=2),
        section("growing", "growing", 40),
        section("threaded", "threaded", 7),
        section("app.family", "family"),
        "[socket:web]\nhost = 127.0.0.1\nport = 0\n",
    )
)


@pytest.fixture(scope="module")
def crew(start_shared: Start) -> tuple[Daemon, str]:
    """Start all kinds of workers, and wait until they are at it."""
    daemon, where = with_stats(start_shared, WORKERS)

    def are_at_it() -> bool:
        of = {name: psutil.Process(daemon.pids(name)[0]) for name in ("growing", "threaded")}
        family = psutil.Process(daemon.pids("app.family")[0]).children()
        grown = of["growing"].memory_info().rss > 45_000_000
        return grown and of["threaded"].num_threads() == 7 and bool(family)

    for name in KINDS:
        daemon.until_active(name)
    until(are_at_it)
    return daemon, where


def pid_of(daemon: Daemon, watcher: str) -> int:
    return daemon.pids(watcher)[0]


def by_psutil(pid: int) -> dict[str, float]:
    process = psutil.Process(pid)
    with process.oneshot():
        times, memory = process.cpu_times(), process.memory_full_info()
        return {
            "cpu_time": times.user + times.system,
            "rss": memory.rss,
            "vms": memory.vms,
            "pss": memory.pss,
            "threads": process.num_threads(),
            "fds": process.num_fds(),
            "nice": process.nice(),
            "create_time": process.create_time(),
        }


KINDS = ("busy", "Sleeping One", "growing", "threaded", "app.family")


@pytest.mark.parametrize("watcher", KINDS)
def test_the_command_tells_what_psutil_tells(crew: tuple[Daemon, str], watcher: str) -> None:
    daemon, _ = crew
    pid = pid_of(daemon, watcher)
    before = by_psutil(pid)
    info = daemon.ok("stats", name=watcher, process=pid, pss=True)["info"]
    after = by_psutil(pid)
    for key, low in before.items():
        slack = 0.011 if key == "cpu_time" else 0.0  # the kernel counts hundredths
        low, high = sorted((low, after[key]))
        assert low * (1 - NEAR) - slack <= info[key] <= high * (1 + NEAR) + slack, key
    assert info["username"] == pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("watcher", KINDS)
def test_shares_of_the_processor_are_those_of_psutil(
    crew: tuple[Daemon, str], watcher: str
) -> None:
    """Between two looks of ours lie at least, and at most, the looks of psutil around them."""
    daemon, _ = crew
    pid = pid_of(daemon, watcher)
    process = psutil.Process(pid)
    child = process.children()[0] if watcher == "app.family" else None

    def used() -> tuple[float, float, float]:
        times, below = process.cpu_times(), child.cpu_times() if child else None
        return (
            time.monotonic(),
            times.user + times.system,
            below.user + below.system if below else 0.0,
        )

    marks = [used()]
    daemon.ok("stats", name=watcher)
    marks.append(used())
    end = time.monotonic() + 3.0
    until(lambda: time.monotonic() > end)
    marks.append(used())
    info = daemon.ok("stats", name=watcher)["info"][str(pid)]
    marks.append(used())
    longest, shortest = marks[3][0] - marks[0][0], marks[2][0] - marks[1][0]
    for key, column in (("cpu", 1), ("children_cpu", 2)):
        least = 100 * (marks[2][column] - marks[1][column] - 0.011) / longest
        most = 100 * (marks[3][column] - marks[0][column] + 0.011) / shortest
        assert least * (1 - NEAR) - 0.1 <= info[key] <= most * (1 + NEAR) + 0.1, key


PS_COLUMNS = "pid=,rss=,vsz=,nlwp=,ni=,user=,times=,etimes=,stat="


def test_ps_tells_the_same(crew: tuple[Daemon, str]) -> None:
    daemon, _ = crew
    pids = {name: pid_of(daemon, name) for name in KINDS}
    infos = {name: daemon.ok("stats", name=name)["info"][str(pid)] for name, pid in pids.items()}
    listed = subprocess.run(
        ["ps", "-o", PS_COLUMNS, "-p", ",".join(map(str, pids.values()))],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    ).stdout
    rows = {int(words[0]): words[1:] for words in map(str.split, listed.splitlines())}
    for name, pid in pids.items():
        rss, vsz, threads, nice, user, times, age, state = rows[pid]
        info = infos[name]
        assert info["rss"] == pytest.approx(int(rss) * 1024, rel=NEAR), name
        assert info["vms"] == pytest.approx(int(vsz) * 1024, rel=NEAR), name
        assert (info["threads"], info["nice"]) == (int(threads), int(nice))
        assert info["username"] == user
        # ps tells whole seconds, and is asked a moment later.
        assert info["cpu_time"] <= int(times) * (1 + NEAR) + 1
        assert info["age"] <= int(age) * (1 + NEAR) + 1
        assert state[0] in "RSD"


def test_the_stream_tells_what_psutil_tells(crew: tuple[Daemon, str]) -> None:
    daemon, where = crew
    with hearing(where) as heard:
        for watcher in KINDS:
            pid = pid_of(daemon, watcher)
            topic = watcher.lower().replace(" ", "_")
            heard.of(topic, pid)
            before = by_psutil(pid)
            heard.of(topic, pid)
            body = heard.of(topic, pid)
            after = by_psutil(pid)
            assert (body["watcher"], body["subtopic"]) == (watcher, pid)
            for key in ("cpu_time", "rss", "vms", "threads", "fds", "nice", "create_time"):
                low, high = sorted((before[key], after[key]))
                assert low * (1 - NEAR) - 0.011 <= body[key] <= high * (1 + NEAR) + 0.011, key


def test_the_stream_has_every_topic(crew: tuple[Daemon, str]) -> None:
    daemon, where = crew
    one, two = daemon.pids("Sleeping One")
    with hearing(where) as heard:
        sums = heard.of("sleeping_one")
        assert sorted(sums["pid"]) == sorted((one, two))
        parts = [heard.of("sleeping_one", pid) for pid in (one, two)]
        assert sums["mem"] == pytest.approx(sum(part["mem"] for part in parts), rel=NEAR)
        assert (sums["processes"], sums["watcher"]) == (2, "Sleeping One")
        assert heard.of("circus", daemon.main_pid)["name"] == "circusd"
        (stats,) = daemon.pids("circusd-stats")
        assert heard.of("circus", stats)["name"] == "circusd-stats"
        assert sorted(heard.of("circus")["pid"]) == sorted((daemon.main_pid, stats))
        (view,) = daemon.ok("listsockets")["sockets"]
        assert heard.of("sockets", view["fd"])["address"] == f"127.0.0.1:{view['port']}"
        sockets = heard.of("sockets")
        assert (sockets["reads"], sockets["queued"]) == (0, 0)
        with socket.create_connection(("127.0.0.1", view["port"])):
            heard.until(lambda: heard.last["sockets", None]["queued"] == 1)
            assert heard.of("sockets")["connections"] == 1


def test_who_subscribes_to_little_gets_little(crew: tuple[Daemon, str]) -> None:
    _, where = crew
    with hearing(where, "stat.busy") as heard:
        heard.of("busy")
        heard.of("busy")
        assert {watcher for watcher, _ in heard.last} == {"busy"}


def test_processes_come_and_go_in_the_stream(crew: tuple[Daemon, str]) -> None:
    daemon, where = crew
    with hearing(where) as heard:
        daemon.ok("incr", name="sleeping one", nb=2, waiting=True)
        heard.until(lambda: heard.of("sleeping_one")["processes"] == 4)
        daemon.ok("decr", name="sleeping one", nb=2, waiting=True)
        heard.until(lambda: heard.of("sleeping_one")["processes"] == 2)
        daemon.ok("add", name="late.comer", cmd="sleep 1000", start=True, waiting=True)
        pid = pid_of(daemon, "late.comer")
        assert heard.of("late.comer", pid)["cmdline"] == "sleep"
        daemon.ok("rm", name="late.comer", waiting=True)
        heard.of("busy")
        heard.last.clear()
        heard.of("busy")
        heard.of("busy")
        assert not [topic for topic, _ in heard.last if topic == "late.comer"]


def spent(pid: int) -> float:
    """Return the processor seconds of all threads, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)


def test_nothing_is_spent_while_nobody_listens(crew: tuple[Daemon, str]) -> None:
    daemon, where = crew
    (stats,) = daemon.pids("circusd-stats")
    with hearing(where) as heard:
        heard.of("busy")

    def rests() -> bool:
        before = spent(stats)
        end = time.monotonic() + 2.5
        until(lambda: time.monotonic() > end)
        return spent(stats) == before

    until(rests)
    with hearing(where) as heard:
        heard.of("busy")


def test_many_askers_share_a_look_and_hold_up_nobody(
    crew: tuple[Daemon, str], connect: Callable[..., Any]
) -> None:
    daemon, _ = crew
    callers = [connect(daemon) for _ in range(20)]
    for caller in callers:
        caller.send("stats")
    begun = time.monotonic()
    daemon.ok("numprocesses", name="busy")
    assert time.monotonic() - begun < 10
    for caller in callers:
        assert set(caller.receive()["infos"]) >= {"busy", "growing"}


def test_dstats_tells_of_the_daemon(crew: tuple[Daemon, str]) -> None:
    daemon, _ = crew
    info = daemon.ok("dstats")["info"]
    known = by_psutil(daemon.main_pid)
    assert info["pid"] == daemon.main_pid
    assert info["rss"] == pytest.approx(known["rss"], rel=NEAR)
    assert info["threads"] == pytest.approx(known["threads"], abs=3)


OLDER = """
import json, sys
from circus.stats.client import StatsClient
seen = set()
for watcher, subtopic, stat in StatsClient(endpoint=sys.argv[1]):
    seen.add((watcher, subtopic is not None))
    if {("busy", True), ("busy", False), ("circus", True), ("sockets", True)} <= seen:
        assert {"cpu", "mem", "age", "pid"} <= stat.keys() or watcher == "sockets", stat
        print(json.dumps(sorted(seen)))
        break
"""


def test_the_older_client_hears_the_stream(crew: tuple[Daemon, str], older: Environment) -> None:
    _, where = crew
    heard = older.run("python", "-c", OLDER, where)
    assert heard.returncode == 0, heard.stderr
    assert ["sleeping_one", True] in json.loads(heard.stdout) or ["busy", True] in json.loads(
        heard.stdout
    )


def test_the_example_finds_who_is_busy(crew: tuple[Daemon, str], tmp_path: Path) -> None:
    daemon, where = crew
    pid = pid_of(daemon, "busy")
    said = tmp_path / "said"
    here = Environment(Path(sys.prefix))
    with here.running("python", str(EXAMPLE), where, log=said):
        until(lambda: f"busy {pid} " in said.read_text())
    assert "sleeping" not in said.read_text().lower()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be other users")
@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_only_those_who_may_read_hear_anything(start: Start, tmp_path: Path, kind: str) -> None:
    listed, viewer, stranger = 20001, 20002, 20009
    daemon = start("[watcher:a]\ncmd = sleep 1000\n", tcp=kind == "tcp")
    where = f"ipc://{daemon.folder}/doors/stats" if kind == "ipc" else f"tcp://[::1]:{free_port()}"
    daemon.folder.chmod(0o755)
    daemon.circus = f"allow_users = {listed}\nviewers = {viewer}\nstats_endpoint = {where}\n"
    daemon.write("[watcher:a]\ncmd = sleep 1000\n")
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: daemon.said(f"Statistics at {where}"))
    made = {uid: Other(uid, "hear", where) for uid in (0, listed, viewer, stranger)}
    try:
        for uid, one in made.items():
            word = one.said.readline()
            assert word.startswith("turned away" if uid == stranger else "heard stat."), uid
        made[stranger].told.write("\n")
        made[stranger].told.flush()
        assert made[stranger].said.readline() == "0\n"
    finally:
        for one in made.values():
            one.kill()
    # The lists are read anew: who was a viewer is none now.
    daemon.circus = f"stats_endpoint = {where}\n"
    daemon.write("[watcher:a]\ncmd = sleep 1000\n")
    before = daemon.pids("circusd-stats")
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: daemon.pids("circusd-stats") not in (before, []))
    until(lambda: daemon.text().count(f"Statistics at {where}") == 2)
    one = Other(viewer, "hear", where)
    try:
        assert one.said.readline() == "turned away\n"
    finally:
        one.kill()


def test_a_daemon_goes_on_where_statistics_can_not_start(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        daemon = start("[watcher:a]\ncmd = sleep 1000\n", circus=f"stats_endpoint = {where}\n")
        (pid,) = daemon.until_active("a")
        until(lambda: daemon.said("is in use already"))
        assert daemon.ok("stats", name="a")["info"][str(pid)]["cmdline"] == "sleep"
    with hearing(where) as heard:
        assert heard.of("a", pid)["watcher"] == "a"


def test_statistics_that_crash_come_back(start: Start) -> None:
    daemon, where = with_stats(start, "[watcher:a]\ncmd = sleep 1000\n")
    with hearing(where) as heard:
        heard.of("a")
        (stats,) = daemon.pids("circusd-stats")
        os.kill(stats, signal.SIGKILL)
        until(lambda: daemon.pids("circusd-stats") not in ([stats], []))
        heard.last.clear()
        assert heard.of("a")["processes"] == 1


def test_they_are_turned_on_and_off_by_reloadconfig(start: Start) -> None:
    body = "[watcher:a]\ncmd = sleep 1000\n"
    daemon = start(body)
    (pid,) = daemon.until_active("a")
    where = f"tcp://127.0.0.1:{free_port()}"
    daemon.circus = f"stats_endpoint = {where}\nstats_interval = 0.2\nstatsd_close_outputs = yes\n"
    daemon.write(body)
    daemon.ok("reloadconfig", waiting=True)
    with hearing(where) as heard:
        assert heard.of("a", pid)["wid"] == 1
        first = daemon.pids("circusd-stats")
        daemon.ok("reloadconfig", waiting=True)
        assert daemon.pids("circusd-stats") == first
    daemon.circus = ""
    daemon.write(body)
    daemon.ok("reloadconfig", waiting=True)
    assert daemon.ok("list")["watchers"] == ["a"]
    assert daemon.pids("a") == [pid]


def test_they_run_in_a_thread_where_a_section_says_so(start: Start) -> None:
    plugin = "[plugin:numbers]\nuse = statistics\nisolate = False\n"
    body = f"{plugin}[watcher:a]\ncmd = sleep 1000\n"
    daemon, where = with_stats(start, body, circus="stats_pss = True\n")
    assert daemon.ok("list")["watchers"] == ["a"]
    with hearing(where) as heard:
        daemon.until_active("a", 1)
        body_of_a = heard.of("a", pid_of(daemon, "a"))
        assert body_of_a["pss"] > 0
        assert heard.of("circus")["pid"] == [daemon.main_pid]
        assert heard.of("a")["pss"] == pytest.approx(body_of_a["pss"], rel=0.2)


PACKAGE = """
from cvec_circus_core.api import hookimpl

class Numbers:
    @hookimpl
    def circus_extra_stats(self, processes):
        return {one.pid: {"weight": 7 * one.wid, "who": one.watcher} for one in processes}

class Broken:
    @hookimpl
    def circus_extra_stats(self, processes):
        raise RuntimeError("no numbers today")
"""


def test_numbers_of_other_packages_are_in_the_stream(start: Start, tmp_path: Path) -> None:
    info = tmp_path / "numbers-1.0.dist-info"
    info.mkdir()
    (tmp_path / "numbers_package.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numbers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cvec_circus.kernel]\nbroken = numbers_package:Broken\nnumbers = numbers_package:Numbers\n"
    )
    body = "[watcher:Web]\ncmd = sleep 1000\nnumprocesses = 2\n"
    environment = {"PYTHONPATH": str(tmp_path)}
    daemon, where = with_stats(start, body, environment=environment, tracebacks=1)
    with hearing(where) as heard:
        pids = daemon.until_active("web", 2)
        extras = [heard.of("web", pid)["extra"] for pid in pids]
        assert extras == [{"weight": 7, "who": "Web"}, {"weight": 14, "who": "Web"}]
        assert heard.of("web")["extra"] == {"weight": 21}
        heard.of("web")
    assert daemon.text().count("kernel plugin broken failed") == 1


def test_by_hand(crew: tuple[Daemon, str], tmp_path: Path) -> None:
    daemon, _ = crew
    where = f"ipc://{daemon.folder}/doors/by-hand"
    words = ("--endpoint", daemon.endpoint, "--pubsub", daemon.events, "--statspoint", where)
    here = Environment(Path(sys.prefix))
    with here.running(
        "cvec_circusd-stats", *words, "--interval", "0.3", log=tmp_path / "log"
    ) as run:
        with hearing(where) as heard:
            heard.of("busy")
            assert heard.last["circus", str(run.pid)]["name"] == "circusd-stats"
        run.terminate()
        assert run.wait(LIMIT) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--version",), 0, "circusd-stats "),
        (("--interval", "soon"), 2, "invalid float value: 'soon'"),
        (
            ("--endpoint", "ipc:///nowhere/at/all", "--interval", "0"),
            1,
            "circusd-stats: plugin statistics: interval isn't a number from 0.1 to 3600: 0.0\n",
        ),
        (
            ("--endpoint", "ipc:///nowhere/at/all", "--statspoint", "nonsense"),
            1,
            "circusd-stats: ",
        ),
    ],
)
def test_mistakes_are_told_in_a_sentence(words: tuple[str, ...], code: int, said: str) -> None:
    done = subprocess.run(
        [BIN / "circusd-stats", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
