"""Keys of the daemon: what it writes, where, and what it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cvec_circus_core.config.unimplemented import NOT_YET
from cvec_circus_core.model.options import declared_families, declared_options
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from tests.keys.house import House
from tests.live.daemon import BIN, ROOT, until

Build = Callable[..., House]

SLEEPER = "[watcher:w]\ncmd = sleep 1000\n"
LOGGERS = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = short
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
formatter = short
args = ("HOUSE/configured", "w")
[formatter_short]
format = SHORT %(message)s
"""


def test_loglevel_and_logoutput_say_how_much_and_where(build: Build) -> None:
    house = build(SLEEPER, "loglevel = warning\nlogoutput = HOUSE/log\n")
    house.until_active("w", 1)
    house.ok("stop", name="w", waiting=True)
    assert "running w" not in (house.folder / "log").read_text()
    assert (house.folder / "out").read_text() == ""


def test_loggerconfig_says_everything(build: Build) -> None:
    house = build(SLEEPER, "loggerconfig = HOUSE/logging.ini\n", {"logging.ini": LOGGERS})
    until(lambda: "SHORT w started" in (house.folder / "configured").read_text())


def may_be_realtime() -> bool:
    """Tell whether the kernel and the sandbox around us let a process go first.

    Who calls the tests may be nice, and then the daemon would leave it at that: its niceness is
    taken back, too.
    """
    code = (
        "import os; os.setpriority(os.PRIO_PROCESS, 0, 0); "
        "os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    )
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode == 0


def policies(threads: Iterable[int]) -> set[int]:
    """Return how threads are scheduled."""
    return {os.sched_getscheduler(thread) for thread in threads}


@contextmanager
def niceness(level: int) -> Iterator[None]:
    """Let what is started here have this niceness, whatever ours is."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, level)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may go first")
@pytest.mark.parametrize(
    ("options", "given", "daemon", "child"),
    [
        ("", 0, 0, 0),
        ("nice = -20\n", 0, -20, 0),
        ("nice = -3\n", 0, -3, 0),
        ("nice = -3\n", 5, 5, 5),
    ],
)
def test_nice_is_the_daemons_alone(
    build: Build, options: str, given: int, daemon: int, child: int
) -> None:
    with niceness(given):
        house = build(SLEEPER, options)
    [worker] = house.until_active("w", 1)
    assert os.getpriority(os.PRIO_PROCESS, house.process.pid) == daemon
    assert os.getpriority(os.PRIO_PROCESS, worker) == child


@pytest.mark.skipif(not may_be_realtime(), reason="real time is not allowed here")
def test_realtime_is_the_daemons_alone(build: Build, tmp_path: Path) -> None:
    # One is started in the quick way, one in the way of those that want more.
    with niceness(0):
        house = build(
            f"{SLEEPER}[watcher:there]\ncmd = sleep 1000\nworking_dir = /\n"
            f"[watcher:loud]\ncmd = sh -c 'echo; exec sleep 1000'\n"
            f"stdout_stream.class = JsonStream\nstdout_stream.filename = {tmp_path}/loud\n",
            "realtime = yes\n",
        )
    until(lambda: (tmp_path / "loud").exists() and (tmp_path / "loud").stat().st_size)
    threads = [int(one) for one in os.listdir(f"/proc/{house.process.pid}/task")]
    assert threads[0] == house.process.pid
    # The loop; the threads of ZeroMQ; those that run Python.
    by_niceness = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK
    assert policies(threads) == {os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.SCHED_RR, by_niceness}
    assert os.sched_getscheduler(house.process.pid) == os.SCHED_RR | os.SCHED_RESET_ON_FORK
    workers = [house.until_active(name, 1)[0] for name in ("w", "there", "loud")]
    assert policies(workers) == {os.SCHED_OTHER}
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in workers} == {0}


def test_nothing_is_scheduled_in_real_time_unless_asked_for(build: Build) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    house = build(SLEEPER)
    threads = [int(thread) for thread in os.listdir(f"/proc/{house.process.pid}/task")]
    assert policies(threads) == {os.SCHED_OTHER}
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {before}


def test_debug_gc_tells_of_collections(build: Build) -> None:
    house = build(SLEEPER, "debug_gc = yes\n")
    until(lambda: "gc: collecting generation" in (house.folder / "out").read_text())


def test_skip_bad_leaves_out_what_is_bad(build: Build) -> None:
    house = build(f"{SLEEPER}[watcher:bad]\ncmd = true\nnumprocesses = x\n", "skip_bad = yes\n")
    assert house.ok("list")["watchers"] == ["w"]
    assert "[ERROR] watcher bad is left out: " in house.text()
    assert "[watcher:bad] numprocesses = x" in house.text()
    house.write(f"{house.file.read_text()}[watcher:worse]\ncmd = true\npriority = y\n")
    house.ok("reloadconfig")
    assert house.text().count("watcher bad is left out: ") == 2
    assert house.text().count("watcher worse is left out: ") == 1


@pytest.mark.skipif("fqdn_prefix" not in NOT_YET, reason="everything does something")
def test_what_does_nothing_yet_is_told(build: Build) -> None:
    house = build(SLEEPER, "fqdn_prefix = x\n")
    assert ":4: [circus] fqdn_prefix = x: has no effect in this version" in house.text()


WRONG = [
    ("[watcher:w]", "numprocesses", "many", "an integer at least 0"),
    ("[watcher:w]", "graceful_timeout", "-1", "a number at least 0"),
    ("[watcher:w]", "stop_signal", "SIGNOPE", "signal"),
    ("[watcher:w]", "rlimit_nofile", "lots", "unlimited"),
    ("[watcher:w]", "umask", "99", "octal"),
    ("[circus]", "nice", "5", "an integer from -20 to 0"),
    ("[watcher:w]", "no_new_privs", "perhaps", "yes, true"),
    ("[watcher:w]", "capabilities", "fly", "net_bind_service, or none, or ~"),
    ("[watcher:w]", "oom_score_adj", "1001", "an integer from -1000 to 1000"),
    ("[watcher:w]", "respawn", "perhaps", "no"),
    ("[circus]", "endpoint", "nowhere", "tcp"),
    ("[circus]", "loglevel", "loud", "critical, error, warning, info or debug"),
    ("[circus]", "warmup_delay", "soon", "1h30m, at least 0"),
]


def test_check_tells_every_wrong_value_where_it_stands_and_what_is_allowed(tmp_path: Path) -> None:
    lines = [
        "[circus]",
        *(f"{key} = {value}" for head, key, value, _ in WRONG if head == "[circus]"),
    ]
    lines += ["[watcher:w]", "cmd = true"]
    lines += [f"{key} = {value}" for head, key, value, _ in WRONG if head == "[watcher:w]"]
    file = tmp_path / "bad.ini"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [BIN / "circusd", "--check", file], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    told = done.stderr.splitlines()
    for head, key, value, allowed in WRONG:
        place = f"{file}:{lines.index(f'{key} = {value}') + 1}: {head} {key} = {value}"
        (line,) = (one for one in told if place in one)
        assert allowed in line.removeprefix(place), line
    assert f"{len(WRONG)} mistakes" in told[-1]


ELSEWHERE = {
    *("use_sockets", "sockets", "stdin_socket", "on_demand", "env_file", "exit_codes", "keeper"),
    "on_daemon_death",
    "keeper_patience",
    *("rollout_surge", "rollout_unavailable", "ready", "ready_timeout", "watchdog"),
    *("stderr_stream", "hooks", "hook_timeout", "stop_children", "control_group"),
    *("finish_timeout", "death_signal"),
    *("endpoint", "pubsub_endpoint", "endpoint_owner"),
    *("allow_users", "allow_groups", "viewers", "insecure", "max_numprocesses"),
    *("curve_key", "curve_authorized"),
    *("httpd", "httpd_host", "httpd_port", "httpd_close_outputs", "httpd_folder", "httpd_hosts"),
    *("httpd_certfile", "httpd_keyfile", "httpd_insecure", "httpd_root_path", "httpd_endpoints"),
    *("httpd_proxies", "httpd_proxy_header", "httpd_proxy_secret", "httpd_proxy_role"),
    *("stats_endpoint", "statsd", "stats_interval", "stats_pss", "statsd_close_outputs"),
}
"""Keys with tests of their own: sockets, reloads, streams, hooks, trees, callers, statistics, the
console, files of variables, and the keeper."""


def shown_here() -> str:
    """Return the text of all tests of this folder, but for what follows here."""
    texts = (file.read_text() for file in sorted(Path(__file__).parent.glob("*.py")))
    return "\n".join(texts).replace(Path(__file__).read_text().partition("ELSEWHERE")[2], "")


@pytest.mark.parametrize("spec", [WatcherSpec, ArbiterSpec], ids=["watcher", "circus"])
def test_every_key_that_has_an_effect_is_shown(spec: type) -> None:
    texts = shown_here()
    keys = {
        declared_option.name: declared_option.name
        for declared_option in declared_options(spec).values()
        if not declared_option.inert
    }
    keys |= {
        declared_family.name: declared_family.prefix
        for declared_family in declared_families(spec).values()
    }
    missing = {name for name, written in keys.items() if written not in texts}
    assert missing - NOT_YET - ELSEWHERE == set()


def test_the_examples_of_others_load(tmp_path: Path) -> None:
    (tmp_path / "myproject").mkdir()
    for file in sorted((ROOT / "tests" / "config" / "examples").glob("*.ini")):
        done = subprocess.run(
            [BIN / "circusd", "--check", file],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "USER": "app", "PYTHONPATH": str(tmp_path)},
        )
        assert (done.returncode, file.name) == (0, file.name), done.stderr
