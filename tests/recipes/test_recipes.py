"""Every recipe of docs/contributing.rst works: a daemon runs with what it adds, end to end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.httpd.consoles import ConsoleProcess
from tests.live.conftest import accounted
from tests.live.daemon import BIN, Daemon, free_port, until
from tests.recipes.recipe import RECIPES, ROOT, apply, files_of

pytestmark = pytest.mark.live
PAGE = ROOT / "docs" / "contributing.rst"
LISTENER = RECIPES / "listener.py"
KINDS = sorted(path.name for path in RECIPES.glob("[a-z]*") if path.is_dir())

Start = Callable[[str], Daemon]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a daemon on the text of its sections; it and circusctl have what was installed."""
    with accounted() as daemons:

        def start(body: str) -> Daemon:
            daemons.append(Daemon(body))
            return daemons[-1].start()

        yield start


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Apply a recipe to a copy of the packages that all programs of the test are to run from."""

    def install(recipe: str) -> Path:
        copy = tmp_path / "copy"
        apply(recipe, copy)
        monkeypatch.setenv("PYTHONPATH", str(copy))
        return copy

    return install


Install = Callable[[str], Path]


def complaints(folder: Path, body: str) -> str:
    """Return what ``circusd --check`` has against a file, whose name is left out."""
    file = folder / "wrong.ini"
    file.write_text(body, encoding="utf-8")
    check = subprocess.run(
        [BIN / "circusd", "--check", file], capture_output=True, text=True, timeout=30
    )
    assert check.returncode == 1
    assert "Traceback" not in check.stderr
    return (check.stdout + check.stderr).replace(f"{file}:", "FILE:")


def control(daemon: Daemon, *words: str) -> str:
    """Return what circusctl prints where all is well."""
    process = daemon.control(*words)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def environment_of(pid: int) -> list[str]:
    """Return the environment with which a process was started."""
    return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")


def test_a_command(install: Install, start: Start) -> None:
    install("command")
    daemon = start("[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\n")
    first, second = daemon.until_active("web")
    assert control(daemon, "wids", "web") == f"1 {first}\n2 {second}\n"
    assert "circusctl wids NAME..." in control(daemon, "help", "wids")
    refused = daemon.control("wids", "nobody")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "no watcher is named 'nobody'" in refused.stderr


def test_an_option(install: Install, start: Start, tmp_path: Path) -> None:
    copy = install("option")
    wrong = complaints(tmp_path, "[watcher:web]\ncmd = sleep 1000\nmalloc_arenas = 0\n")
    assert "FILE:3: [watcher:web] malloc_arenas = 0: isn't an integer at least 1" in wrong
    daemon = start("[watcher:web]\ncmd = sleep 1000\nmalloc_arenas = 2\nsettle = 0\n")
    (pid,) = daemon.until_active("web")
    assert "MALLOC_ARENA_MAX=2" in environment_of(pid)
    assert control(daemon, "get", "web", "malloc_arenas") == "malloc_arenas: 2\n"
    refused = daemon.control("set", "web", "malloc_arenas", "few")
    assert refused.returncode == 2
    assert "malloc_arenas isn't an integer: 'few'" in refused.stderr
    assert control(daemon, "set", "web", "malloc_arenas", "4", "--waiting") == "ok\n"
    until(lambda: daemon.pids("web") not in ([], [pid]))
    assert "MALLOC_ARENA_MAX=4" in environment_of(*daemon.pids("web"))
    assert control(daemon, "get", "web", "malloc_arenas") == "malloc_arenas: 4\n"
    rows = (copy / "tests/config/test_options.py").read_text(encoding="utf-8")
    assert '("malloc_arenas", "2", 2,' in rows


def test_a_stream(install: Install, start: Start, tmp_path: Path) -> None:
    install("stream")
    section = (
        "[watcher:web]\ncmd = sh -c 'echo first; echo second; exec sleep 1000'\n"
        "stdout_stream.class = LabelledStream\n"
    )
    assert "FILE:1: [watcher:web] stdout_stream.filename: is missing" in complaints(
        tmp_path, section
    )
    output = tmp_path / "output"
    start(f"{section}stdout_stream.filename = {output}\n")
    until(lambda: output.exists() and output.read_bytes().count(b"\n") == 2)
    assert output.read_text(encoding="utf-8") == "web 1: first\nweb 1: second\n"


def test_an_event(install: Install, start: Start) -> None:
    install("event")
    daemon = start("[watcher:web]\ncmd = sleep 1000\n")
    daemon.until_active("web")
    with daemon.listen("watcher.web.resized") as ear:
        assert control(daemon, "incr", "web", "2") == "3\n"
        assert control(daemon, "decr", "web") == "2\n"
        events = ear.wait_for("resized", "web", count=2)
    assert [event.body["numprocesses"] for event in events] == [3, 2]
    # It is the daemon's own now: nobody else may use the name.
    assert "event of the daemon" in daemon.control("announce", "web", "resized").stderr


def test_a_probe(install: Install, start: Start, tmp_path: Path) -> None:
    install("probe")
    port = free_port()
    section = (
        f"[watcher:server]\ncmd = {sys.executable} -S {LISTENER} {port}\n"
        "[plugin:probe]\nuse = tcp_observer\nloop_rate = 0.1\nfailures = 3\n"
        "restart_on_error = server\n"
    )
    wrong = complaints(tmp_path, f"{section}check_port = 0\n")
    assert "FILE:8: [plugin:probe] check_port = 0: isn't an integer from 1 to 65535" in wrong
    daemon = start(f"{section}check_port = {port}\n")
    until(lambda: answers(port))
    before = daemon.pids("server")
    daemon.ok("signal", name="server", signum="usr1")
    until(lambda: daemon.said("server is restarted (restart_on_error)"))
    assert daemon.said(f"127.0.0.1:{port} takes no connection")
    until(lambda: answers(port))
    assert daemon.until_active("server") != before


def answers(port: int) -> bool:
    """Tell whether somebody takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_plugin(install: Install, start: Start, tmp_path: Path) -> None:
    install("plugin")
    section = "[watcher:web]\ncmd = sleep 1000\n[plugin:crashes]\nuse = crash_log\n"
    assert "the crash log needs a filename" in complaints(tmp_path, section)
    output = tmp_path / "crashes"
    daemon = start(f"{section}filename = {output}\n")
    (pid,) = daemon.until_active("web")
    # It is opened by a plugin that hears already.
    until(output.exists)
    os.kill(pid, signal.SIGKILL)
    until(lambda: output.read_text(encoding="utf-8").endswith("\n"))
    assert output.read_text(encoding="utf-8") == f"web {pid} -9\n"


def test_an_importer(install: Install, start: Start, tmp_path: Path) -> None:
    install("importer")
    table = tmp_path / "inittab"
    table.write_text(
        "# the system's\nid:3:initdefault:\nweb:2345:respawn:sleep 1000\n", encoding="utf-8"
    )
    ini = tmp_path / "app.ini"
    words = [str(word) for word in (BIN / "circusctl", "import", "-o", ini, table)]
    importing = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert importing.returncode == 0, importing.stderr
    assert "inittab, line 2: initdefault has no counterpart" in importing.stderr
    sections = ini.read_text(encoding="utf-8").partition("[watcher:web]")
    assert len(start(f"{sections[1]}{sections[2]}").until_active("web")) == 1
    ini.unlink()
    table.write_text("web:respawn\n", encoding="utf-8")
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert "line 1: 'web:respawn' is not ID:LEVELS:ACTION:COMMAND" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_page_of_the_console(install: Install, start: Start) -> None:
    install("console")
    daemon = start("[watcher:web]\ncmd = sleep 1000\nready = spawned\n")
    daemon.until_active("web")
    console = ConsoleProcess(daemon.endpoint).start()
    try:
        refused = console.client().get("/x/states/all")
        assert "sign-in" in refused.headers["location"]
        browser = console.signed_in("viewer").browser
        assert 'href="/x/states/all"' in browser.get("/").text
        shown = browser.get("/x/states/all")
        assert (shown.status_code, "<td>active</td>" in shown.text) == (200, True), shown.text
        assert control(daemon, "stop", "web", "--waiting") == "ok\n"
        assert "<td>stopped</td>" in browser.get("/x/states/all").text
    finally:
        console.stop()
        shutil.rmtree(console.folder, ignore_errors=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_each_recipe_and_names_its_files(kind: str) -> None:
    sections = re.split(r"\n(?=.*\n-{3,}\n)", PAGE.read_text(encoding="utf-8"))
    include = f".. literalinclude:: ../tests/recipes/{kind}/"
    (section,) = (section for section in sections if include in section)
    shown = set(re.findall(rf"{re.escape(include)}(\S+)", section))
    assert shown == {file.name for file in (RECIPES / kind).glob("[a-z]*.*")}
    assert files_of(kind) <= set(re.findall(r"``([\w/.]+)``", section))


def test_every_recipe_is_tried() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    kinds = ["command", "console", "event", "importer", "option", "plugin", "probe", "stream"]
    assert kinds == KINDS
    assert all(f'install("{kind}")' in source for kind in KINDS)
