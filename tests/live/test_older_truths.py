"""What clients and files of the older system count on, fact by fact, on a real daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import BIN, LIMIT, Daemon, until
from tests.programs import Environment

WITNESS = """
import os, signal, subprocess, sys, threading
folder, is_parent = sys.argv[1], len(sys.argv) == 2
def note(*_):
    with open(f"{folder}/{'parent' if is_parent else 'child'}", "a") as file:
        file.write("x")
signal.signal(signal.SIGUSR1, note)
children = [subprocess.Popen([sys.executable, *sys.argv, "child"]) for _ in range(is_parent)]
open(f"{folder}/up-{'parent' if is_parent else 'child'}", "w").close()
threading.Event().wait()
"""

WATCHERS = """
[watcher:web]
cmd = sh -c 'sleep 1000'
args = --one "two three"
env = A=b
ready = spawned
settle = 0

[watcher:shell]
cmd = sleep 1000
shell = True
shell_args = first "sec ond"
ready = spawned
settle = 0

[watcher:family]
cmd = {python} {folder}/witness.py {folder}
ready = spawned
settle = 0

[watcher:paths]
cmd = sleep 1000
copy_path = True
env = PYTHONPATH=/written/first
ready = spawned
settle = 0

[watcher:colours]
cmd = sh -c 'echo line; sleep 1000'
stdout_stream.class = FancyStdoutStream
stdout_stream.color = red
ready = spawned
settle = 0

[env:w*]
PATH = /of/the/section:{path}

[env:web]
SEEN = before:$PATH
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes write down what they get."""
    folder = tmp_path_factory.mktemp("truths")
    (folder / "witness.py").write_text(WITNESS)
    return folder


@pytest.fixture(scope="module")
def daemon(start_shared: Callable[..., Daemon], folder: Path) -> Daemon:
    """A daemon with all of them."""
    body = WATCHERS.format(python=sys.executable, folder=folder, path=os.environ["PATH"])
    return start_shared(body, circus="check_delay = -1")


@pytest.mark.parametrize(
    ("watcher", "key", "text"),
    [
        ("web", "args", '--one "two three"'),
        ("web", "shell_args", []),
        ("shell", "shell_args", 'first "sec ond"'),
    ],
)
def test_words_are_told_in_the_form_in_which_they_were_given(
    daemon: Daemon, watcher: str, key: str, text: object
) -> None:
    assert daemon.ok("options", name=watcher)["options"][key] == text
    assert daemon.ok("get", name=watcher, keys=[key])["options"][key] == text


def test_a_list_of_words_is_told_as_a_list(daemon: Daemon) -> None:
    daemon.ok("add", name="listed", cmd="sleep", args=["1000"], start=False)
    assert daemon.ok("get", name="listed", keys=["args"])["options"]["args"] == ["1000"]
    daemon.ok("rm", name="listed", waiting=True)


@pytest.mark.parametrize("command", ["options", "get"])
def test_folder_and_environment_are_those_that_count(daemon: Daemon, command: str) -> None:
    keys = {"keys": ["env", "working_dir"]} if command == "get" else {}
    options = daemon.ok(command, name="web", **keys)["options"]
    (pid,) = daemon.until_active("web")
    process = psutil.Process(pid)
    assert options["working_dir"] == process.cwd()
    environ = process.environ()
    assert {name: environ.get(name) for name in options["env"]} == options["env"]
    assert options["env"]["A"] == "b"


def test_the_statistics_endpoint_has_its_default_where_none_is_set(daemon: Daemon) -> None:
    options = daemon.ok("globaloptions", option="stats_endpoint")["options"]
    assert options == {"stats_endpoint": "tcp://127.0.0.1:5557"}


def test_the_signal_of_a_pid_and_of_its_child(daemon: Daemon, folder: Path) -> None:
    until(lambda: all((folder / f"up-{who}").exists() for who in ("parent", "child")))
    (pid,) = daemon.pids("family")
    (child,) = psutil.Process(pid).children()
    heard = Heard(folder)
    daemon.ok("signal", name="family", process=pid, signum="USR1")
    heard.until(parent=1, child=0)
    daemon.ok("signal", name="family", process=pid, pid=child.pid, signum="USR1")
    heard.until(parent=1, child=1)
    daemon.ok("signal", name="family", pid=pid, child_pid=child.pid, signum="USR1")
    heard.until(parent=1, child=2)
    done = daemon.control("signal", "family", str(pid), str(child.pid), "usr1")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    heard.until(parent=1, child=3)


class Heard:
    """How many signals parent and child have got."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def until(self, **counts: int) -> None:
        """Wait until they have got so many, and no others."""
        until(lambda: self._counts() == counts, LIMIT)

    def _counts(self) -> dict[str, int]:
        files = {who: self._folder / who for who in ("parent", "child")}
        return {who: file.stat().st_size if file.exists() else 0 for who, file in files.items()}


def test_a_written_import_path_comes_before_what_is_copied(daemon: Daemon) -> None:
    (pid,) = daemon.until_active("paths")
    path = psutil.Process(pid).environ()["PYTHONPATH"].split(os.pathsep)
    assert path[0] == "/written/first"
    assert len(path) > 1


def test_a_negative_check_delay_is_taken_with_a_warning(daemon: Daemon) -> None:
    assert daemon.said("check_delay = -1: is taken, and has no effect")


def test_a_variable_of_a_section_is_the_daemons_own(daemon: Daemon) -> None:
    environ = daemon.ok("get", name="web", keys=["env"])["options"]["env"]
    assert environ["PATH"].startswith("/of/the/section:")
    assert environ["SEEN"] == f"before:{os.environ['PATH']}"


def test_fancy_output_is_coloured_where_it_is_no_terminal(daemon: Daemon) -> None:
    until(lambda: "\x1b[31;40m" in daemon.text())


def test_no_color_is_respected(start: Callable[..., Daemon]) -> None:
    body = "[watcher:colours]\ncmd = sh -c 'echo a line; sleep 1000'\n"
    stream = "stdout_stream.class = FancyStdoutStream\nstdout_stream.color = red\n"
    plain = start(body + stream, environment={"NO_COLOR": "1"})
    until(lambda: "| a line" in plain.text())
    assert "\x1b[" not in plain.text()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"env": {"PORT": 8000}}, "env"),
        ({"stdout_stream": {}}, "stdout_stream"),
        ({"stdout_stream": {"class": ""}}, "stdout_stream"),
    ],
)
def test_what_set_refuses(daemon: Daemon, options: dict[str, object], reason: str) -> None:
    _, told = daemon.refused("set", name="colours", options=options)
    assert reason in told


def test_a_long_unknown_command_is_not_quoted_back_whole(daemon: Daemon) -> None:
    _, reason = daemon.refused("x" * 500_000)
    assert reason.startswith("unknown command: 'xxx")
    assert len(reason) < 1000


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("[watcher:a]\ncmd = sleep 9\n[watcher:A]\ncmd = sleep 8", "error", "case does not count"),
        (
            "[watcher:a]\ncmd = sleep 9\nshell = True\nexecutable = /bin/bash",
            "warning",
            "executable = /bin/bash: is run in the place of /bin/sh, which shell asks for",
        ),
        (
            "[watcher:a]\ncmd = sleep 9\nvirtualenv = /not/there",
            "warning",
            "virtualenv = /not/there: is a folder that is not there",
        ),
    ],
)
def test_what_a_check_says_of_older_files(tmp_path: Path, body: str, kind: str, told: str) -> None:
    file = tmp_path / "older.ini"
    head = f"[circus]\nendpoint = ipc://{tmp_path}/c\npubsub_endpoint = ipc://{tmp_path}/e\n"
    file.write_text(head + body)
    done = Environment(BIN.parent).run("circusd", "--check", str(file))
    assert done.returncode == (1 if kind == "error" else 0)
    assert any(line.startswith(kind) and told in line for line in done.stderr.splitlines())


def test_a_virtualenv_that_can_not_be_used_stops_its_watcher_alone(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    (tmp_path / "venv" / "lib" / "python2.7" / "site-packages").mkdir(parents=True)
    watcher = "cmd = sleep 1000\nready = spawned\nsettle = 0\n"
    daemon = start(
        f"[watcher:missing]\n{watcher}virtualenv = /not/there\n"
        f"[watcher:other]\n{watcher}virtualenv = {tmp_path}/venv\n"
        f"[watcher:asked]\n{watcher}virtualenv = {tmp_path}/venv\nvirtualenv_py_ver = 3.11\n"
        f"[watcher:good]\n{watcher}"
    )
    daemon.until_active("good")
    until(lambda: daemon.said("the virtualenv '/not/there' is not there"))
    until(lambda: daemon.said("has no python3.11 (it has python2.7)"))
    (pid,) = daemon.until_active("other")
    path = psutil.Process(pid).environ()["PYTHONPATH"]
    assert path == f"{tmp_path}/venv/lib/python2.7/site-packages"
    assert (daemon.pids("missing"), daemon.pids("asked")) == ([], [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the group")
def test_a_group_alone_takes_the_others_away(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:web]\ncmd = sleep 1000\ngid = 65534\nready = spawned\nsettle = 0\n")
    (pid,) = daemon.until_active("web")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (groups,) = [line for line in lines if line.startswith("Groups:")]
    assert groups.split() == ["Groups:", "65534"]


def test_after_reap_is_told_the_status(start: Callable[..., Daemon], tmp_path: Path) -> None:
    (tmp_path / "older_hook.py").write_text(
        "def note(watcher, arbiter, hook_name, process_status, exit_code, **kwargs):\n"
        f"    open({str(tmp_path / 'told')!r}, 'w').write(f'{{process_status}} {{exit_code}}')\n"
    )
    start(
        "[watcher:web]\ncmd = sh -c 'sleep 0.2; exit 3'\nhooks.after_reap = older_hook.note\n"
        f"env = PYTHONPATH={tmp_path}\nready = spawned\nretry_pause = 60\n"
    )
    until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text() == "2 3")
