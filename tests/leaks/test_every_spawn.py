"""Every way of starting a process, from a daemon that was started carelessly: nothing leaks.

Each row is a section, with what its process has besides what all have. All watchers are of one
daemon (and of one in the background). The processes do nothing, so what the kernel tells of them is
what they were given.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.leaks.possessions import (
    LEAKY_UMASK,
    OF_THE_MANAGER,
    Possessions,
    is_program,
    links,
)
from tests.live.clients import address, connected
from tests.live.daemon import BIN, ROOT, Daemon, until

LEAKY = str(Path(__file__).with_name("leaky.py"))
AS_ROOT = os.geteuid() == 0

SOCKETS = """
[socket:web]
host = 127.0.0.1
port = 0
[socket:own]
host = 127.0.0.1
port = 0
so_reuseport = yes
[socket:other]
path = FOLDER/other.sock
[socket:asked]
host = 127.0.0.1
port = 0
"""

Row = tuple[str, dict[str, Any]]
"""A section, and what differs: descriptors (NUMBER: kind), umask, folder, env added."""

ROWS: dict[str, Row] = {
    "quick": ("", {}),
    "several": ("numprocesses = 3", {}),
    "singleton": ("singleton = yes", {}),
    "args": ("args = 2000", {}),
    "executable": ("executable = /bin/sleep", {}),
    "shell": ("shell = yes\ncmd = exec sleep 1000", {}),
    "working_dir": ("working_dir = /usr", {"folder": "/usr"}),
    "umask": ("umask = 077", {"umask": "0077"}),
    "rlimit": ("rlimit_core = 0", {}),
    "no_new_privs": ("no_new_privs = yes", {"no_new_privs": "1"}),
    "death": ("death_signal = KILL", {}),
    "oom": ("oom_score_adj = 500", {}),
    "copy_env": ("copy_env = no", {"env": {}}),
    "env": ("env = A=b", {"added": {"A": "b"}}),
    "stdin": ("close_child_stdin = no", {0: "HOUSE/in"}),
    "closed": (
        "close_child_stdout = yes\nclose_child_stderr = yes",
        {1: "/dev/null", 2: "/dev/null"},
    ),
    "not_kept": ("keep_output = 0", {1: "HOUSE/out", 2: "HOUSE/out"}),
    "streams": (
        "stdout_stream.class = FileStream\nstdout_stream.filename = FOLDER/stream\n"
        "stderr_stream.class = StdoutStream",
        {1: "pipe:", 2: "pipe:"},
    ),
    "hooks": ("hooks.before_spawn = leaky_hooks.before\nhooks.after_spawn = leaky_hooks.after", {}),
    "notify": ("ready = notify", {"told": {"NOTIFY_SOCKET"}}),
    "watchdog": ("watchdog = 3600", {"told": {"NOTIFY_SOCKET", "WATCHDOG_USEC"}}),
    "numbered": (
        "use_sockets = yes\nargs = $(circus.sockets.web)",
        {"numbered": 1},
    ),
    "in_a_row": (
        "sockets = web other",
        {
            3: "socket:",
            4: "socket:",
        },
    ),
    "of_its_own": ("use_sockets = yes\nargs = $(circus.sockets.own)", {"numbered": 1}),
    "stdin_socket": ("stdin_socket = web", {0: "socket:"}),
    "on_demand": ("on_demand = yes\nsockets = asked", {3: "socket:"}),
}
OF_ROOT: dict[str, Row] = {
    "user": ("uid = nobody", {}),
    "user_quick_death": ("uid = nobody\nretry_pause = 1", {}),
    "user_streams": (
        "uid = nobody\nstdout_stream.class = FileStream\nstdout_stream.filename = FOLDER/theirs",
        {1: "pipe:"},
    ),
    "user_in_a_row": (
        "uid = nobody\nsockets = web",
        {3: "socket:"},
    ),
    "no_capabilities": ("uid = nobody\ncapabilities = none", {}),
    "capabilities": ("uid = nobody\ncapabilities = chown", {"ambient": "0000000000000001"}),
}
ALL = {**ROWS, **(OF_ROOT if AS_ROOT else {})}
HOOKS = "def before(**how):\n    return True\n\n\ndef after(**how):\n    return True\n"
OWN_NOTIFY = "@cvec-circus/notify/"
OF_A_ROW = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}


class Careless(Daemon):
    """A daemon whose parent has left it everything that a parent can leave."""

    environment: dict[str, str]
    """What it is started with."""

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it so."""
        self.environment = {
            **os.environ,
            "LIVE_TEST_MARK": self.mark,
            "PYTHONPATH": str(self.folder),
            **OF_THE_MANAGER,
        }
        (self.folder / "leaky_hooks.py").write_text(HOOKS)
        (self.folder / "in").touch()
        with (self.folder / "out").open("ab") as out, (self.folder / "in").open("rb") as in_:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    LEAKY,
                    self.folder / "leaked",
                    *self.program,
                    *self.flags,
                    self.file,
                ],
                cwd=ROOT,
                stdin=in_,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        return self._process


def sections(folder: Path) -> str:
    rows = "".join(
        f"[watcher:{name}]\n" + ("" if "cmd =" in text else "cmd = sleep 1000\n") + f"{text}\n"
        for name, (text, _) in ALL.items()
    )
    return (SOCKETS + rows).replace("FOLDER", str(folder))


@pytest.fixture(scope="module")
def daemon() -> Iterator[Careless]:
    made = Careless("", circus="umask = 027\n")
    made.folder.chmod(0o755)
    made.write(sections(made.folder))
    try:
        made.start()
        yield made
        made.account()
    finally:
        made.clean_up()


def check(daemon: Daemon, pid: int, own: dict[str, str], differs: dict[Any, Any]) -> None:
    """Compare what a process has with what it should have."""
    until(is_program(pid, "sleep"))
    has = Possessions.of(pid)
    _check_descriptors(daemon, has, differs)
    status = has.status
    assert no_signal_is_special(status)
    assert status["Umask"] == differs.get("umask", f"{LEAKY_UMASK:04o}")
    assert status["CapAmb"] == differs.get("ambient", "0" * 16)
    assert status["CapInh"] == differs.get("ambient", "0" * 16)
    assert status["NoNewPrivs"] == differs.get("no_new_privs", "0")
    assert (has.session, has.group, has.terminal) == (pid, pid, 0)
    assert has.folder == differs.get("folder", str(ROOT))
    assert has.nofile == "256"
    wanted = dict(differs.get("env", own)) | differs.get("added", {})
    uid = int(status["Uid"].split()[0])
    if uid != os.geteuid():
        account = pwd.getpwuid(uid)
        wanted |= {"HOME": account.pw_dir, "SHELL": account.pw_shell}
        wanted |= {"USER": account.pw_name, "LOGNAME": account.pw_name}
    found = dict(has.environment)
    for name in {*differs.get("told", ()), *(OF_A_ROW if 3 in differs else ())}:
        assert found.pop(name) != OF_THE_MANAGER[name]
    assert found.pop("NOTIFY_SOCKET", OWN_NOTIFY).startswith(OWN_NOTIFY)
    assert found == wanted


def no_signal_is_special(status: dict[str, str]) -> bool:
    """Tell whether a process blocks, ignores and catches no signal.

    Two are the C library's own: its posix_spawn ignores them for whatever it starts.
    """
    masks = [int(status[key], 16) for key in ("SigBlk", "SigIgn", "SigCgt")]
    return not any(mask & ~(1 << 31 | 1 << 32) for mask in masks)


def _check_descriptors(daemon: Daemon, has: Possessions, differs: dict[Any, Any]) -> None:
    wanted = {0: "/dev/null", 1: "pipe:", 2: "pipe:"}
    wanted |= {key: value for key, value in differs.items() if isinstance(key, int)}
    found = dict(has.descriptors)
    for _ in range(differs.get("numbered", 0)):
        number = max(found)
        assert found.pop(number).startswith("socket:")
    assert found.keys() == wanted.keys(), found
    for number, where in wanted.items():
        assert found[number].startswith(where.replace("HOUSE", str(daemon.folder))), found


def left_over(daemon: Careless) -> dict[str, str]:
    """Return the environment that a process is to have."""
    own = {key: value for key, value in daemon.environment.items() if key not in OF_THE_MANAGER}
    # Python sets this for itself and its children in the C locale (PEP 538).
    coerced = Possessions.of(daemon.until_active("quick", 1)[0]).environment.get("LC_CTYPE")
    return own if coerced is None else {**own, "LC_CTYPE": coerced}


@pytest.mark.parametrize("name", ALL)
def test_it_has_what_it_should_and_nothing_else(daemon: Careless, name: str) -> None:
    own = left_over(daemon)
    if name == "on_demand":
        with connected(address(daemon, "asked")):
            daemon.until_active(name, 1)
    for pid in daemon.until_active(name):
        check(daemon, pid, own, ALL[name][1])


@pytest.mark.parametrize("name", ["quick", "streams", "in_a_row", "numbered"])
def test_its_successor_has_nothing_else_either(daemon: Careless, name: str) -> None:
    own = left_over(daemon)
    (before,) = daemon.until_active(name, 1)
    os.kill(before, signal.SIGKILL)
    until(lambda: daemon.pids(name) not in ([], [before]))
    (pid,) = daemon.until_active(name, 1)
    check(daemon, pid, own, ALL[name][1])


def test_who_was_added_has_nothing_else_either(daemon: Careless) -> None:
    daemon.ok("add", name="late", cmd="sleep 1000", start=True, waiting=True)
    (pid,) = daemon.until_active("late", 1)
    check(daemon, pid, left_over(daemon), {})
    daemon.ok("rm", name="late", waiting=True)


def test_in_the_background_nothing_else_either() -> None:
    made = Careless("", "--daemon", circus="umask = 027\n")
    made.circus += f"pidfile = {made.folder}/pid\nlogoutput = {made.folder}/log\n"
    made.program = (str(BIN / "circusd"),)
    made.write(
        "[watcher:quick]\ncmd = sleep 1000\n[watcher:rlimit]\ncmd = sleep 1000\nrlimit_core=0\n"
    )
    try:
        assert made.launch().wait(30) == 0, made.text()
        own = left_over(made)
        for name in ("quick", "rlimit"):
            (pid,) = made.until_active(name, 1)
            check(made, pid, own, {})
        made.ok("quit", waiting=True)
        until(lambda: not made.alive())
    finally:
        made.clean_up()


PLUGIN = "class Plugin(__import__('cvec_circus_core').CircusPlugin):\n    name = 'still'\n"


def test_a_plugin_has_nothing_of_the_daemon() -> None:
    made = Careless("", circus="umask = 027\n")
    (made.folder / "still.py").write_text(PLUGIN)
    made.write("[plugin:still]\nuse = still.Plugin\n")
    try:
        made.start()
        (pid,) = made.until_active("plugin:still", 1)
        mine, theirs = links(made.process.pid), links(pid)
        shared = {where for where in mine.values() if where.startswith(("socket:", "pipe:"))}
        # Its standard output and error come to the daemon by pipes of its own.
        assert not shared & {where for fd, where in theirs.items() if fd > 2}
        assert str(made.folder / "leaked") not in theirs.values()
        environment = Possessions.of(pid).environment
        assert environment.pop("NOTIFY_SOCKET").startswith(OWN_NOTIFY)
        assert not set(OF_THE_MANAGER) & set(environment)
        made.account()
    finally:
        made.clean_up()


def test_a_library_hands_nothing_on(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from cvec_circus_core import Process\n"
        "made = Process(1, 'sleep 1000', pipe_stdout=False, pipe_stderr=False)\n"
        "print(made.pid, flush=True)\n"
        "sys.stdin.readline()\n"
        "made.stop()\n"
    )
    host = subprocess.Popen(
        [sys.executable, LEAKY, tmp_path / "leaked", sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        until(is_program(pid, "sleep"))
        has = Possessions.of(pid)
        assert has.descriptors.keys() == {0, 1, 2}
        assert has.descriptors[0] == "/dev/null"
        assert no_signal_is_special(has.status)
        assert (has.session, has.terminal) == (pid, 0)
    finally:
        host.communicate("\n", timeout=30)
    assert host.returncode == 0
