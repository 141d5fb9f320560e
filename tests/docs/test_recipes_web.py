"""The recipes for web servers lose no request while their workers are replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.recipe_runs import running, set_up
from tests.live.daemon import free_port
from tests.programs import Control, need, wait_until
from tests.rollout.clients import Clients

pytestmark = pytest.mark.live


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="rec") as short:
        Path(short).chmod(0o755)
        yield Path(short)


def replace_all(control: Control, watcher: str, clients: Clients) -> None:
    """Reload a watcher under load; every process is another one then, and no call has failed."""
    before = control.pids(watcher)
    code, out, err = control("--timeout", "60", "reload", watcher, "--waiting")
    assert code == 0, out + err
    after = control.pids(watcher)
    assert len(after) == len(before)
    assert not set(before) & set(after)
    clients.until_all_called()


SERVERS = [
    "gunicorn-flask",
    "gunicorn-django",
    "uvicorn",
    "gunicorn-uvicorn",
    "hypercorn",
    "waitress",
]


@pytest.mark.parametrize("server", SERVERS)
def test_a_reload_loses_no_request(server: str, folder: Path) -> None:
    port = free_port()
    set_up("web", folder, **{"= 8000": f"= {port}"})
    with running(folder, f"{server}.ini") as control:
        control.wait_for("active", "status", "web")
        with Clients(port, http=True) as clients:
            replace_all(control, "web", clients)
        assert clients.total.failures == []


def test_node_on_a_managed_socket(folder: Path) -> None:
    need("node", "nodejs")
    port = free_port()
    set_up("node", folder, **{"= 8000": f"= {port}"})
    with running(folder, "node.ini") as control:
        control.wait_for("active", "status", "web")
        with Clients(port, http=True) as clients:
            replace_all(control, "web", clients)
        assert clients.total.failures == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another group")
def test_nginx_in_front(folder: Path) -> None:
    nginx = need("nginx", "nginx-light")
    port = free_port()
    more = {"127.0.0.1:8080": f"127.0.0.1:{port}", "/usr/sbin/nginx": nginx}
    set_up("nginx", folder, **more)
    with running(folder, "shop.ini") as control:
        control.wait_for("active", "status", "nginx")
        with Clients(port, http=True) as clients:
            replace_all(control, "web", clients)
            (master,) = control.pids("nginx")
            # It reads its configuration again, and keeps its process.
            assert control("reload", "nginx", "--waiting")[0] == 0
            clients.until_all_called()
            assert control.pids("nginx") == [master]
        assert clients.total.failures == []


def deploy(folder: Path, release: str, code: str | None = None) -> tuple[int, str]:
    """Make a release folder, and call the recipe's script; return how it ended."""
    path = folder / "releases" / release
    path.mkdir(parents=True)
    if code is None:
        shutil.copy(folder / "server.py", path)
    else:
        (path / "server.py").write_text(code, encoding="utf-8")
    (path / "VERSION").write_text(release, encoding="utf-8")
    done = subprocess.run(
        [folder / "deploy", release],
        env={"PATH": "/usr/bin:/bin", "CIRCUSCTL_ENDPOINT": f"ipc://{folder}/c"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, (done.stdout + done.stderr)


def answer(port: int) -> str:
    """Return what the server says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as reply:
        return str(reply.read().decode())


def test_deploy_and_roll_back(folder: Path) -> None:
    port = free_port()
    set_up(
        "release",
        folder,
        **{"= 8000": f"= {port}", "cmd = python3": "ready_timeout = 5\ncmd = python3"},
    )
    first = folder / "releases" / "0"
    first.mkdir(parents=True)
    shutil.copy(folder / "server.py", first)
    (first / "VERSION").write_text("0", encoding="utf-8")
    (folder / "current").symlink_to("releases/0")
    with running(folder, "shop.ini") as control:
        control.wait_for("active", "status", "web")
        assert answer(port) == "0"
        with Clients(port, http=True) as clients:
            assert deploy(folder, "1") == (0, "ok\n1 is in use\n")
            wait_until(lambda: answer(port) == "1")
            code, text = deploy(folder, "2", "raise SystemExit('it does not work')")
            assert code == 1
            assert "2 does not work; releases/1 is still in use" in text
            assert os.readlink(folder / "current") == "releases/1"
            assert answer(port) == "1"
        assert clients.total.failures == []
        # A process that dies later, with whatever it was answering, comes back in the old release.
        killed = control.pids("web")[0]
        os.kill(killed, 9)
        wait_until(lambda: len({*control.pids("web")} - {killed}) == 2)
        assert answer(port) == "1"
