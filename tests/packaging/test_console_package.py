"""What the package of the example adds to the web console, built and installed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.live.daemon import free_port
from tests.programs import Control, Environment, wait_until

pytestmark = pytest.mark.live

CONFIGURATION = """
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events
httpd = True
httpd_port = {port}
httpd_folder = {folder}/kept

[watcher:loud]
cmd = sleep 300
numprocesses = 2
ready = spawned
"""

Get = Callable[[str], str]


@pytest.fixture(scope="module")
def get(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Get]:
    """Return what reads an address of a console with the package installed."""
    folder = tmp_path_factory.mktemp("console")
    port = free_port()
    file = folder / "circus.ini"
    file.write_text(CONFIGURATION.format(folder=folder, port=port), encoding="utf-8")
    control = Control(environment, f"ipc://{folder}/control")
    with environment.running("circusd", str(file), log=folder / "log") as daemon:
        control.wait_for("active", "status", "loud")
        code, token, complaint = control("token", "add", "test")
        assert code == 0, complaint

        def read(path: str) -> str:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{path}",
                headers={"Authorization": f"Bearer {token.strip()}"},
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                text: str = response.read().decode()
                return text

        wait_until(lambda: _is_known(read))
        yield read
        assert control("quit", "--waiting")[0] == 0
        assert daemon.wait(timeout=30) == 0
    assert "Traceback" not in Path(folder / "log").read_text(encoding="utf-8")


def _is_known(read: Get) -> bool:
    """Tell whether the console has come so far as to know the watcher."""
    try:
        return "loud" in read("/")
    except OSError:
        return False


def test_its_page_is_linked_from_all_others(get: Get) -> None:
    assert '<a href="/x/openfiles/all"' in get("/")
    page = get("/x/openfiles/all")
    assert "<h1>Open files</h1>" in page
    assert page.count('<th scope="row">loud</th>') == 2


def test_its_panel_stands_on_the_page_of_a_watcher(get: Get) -> None:
    [daemon] = json.loads(get("/api/daemons"))["daemons"]
    page = get(f"/watchers/{daemon}/processes/loud")
    assert '<section class="stacked" aria-label="Open files">' in page
    assert page.count('<th scope="row">loud</th>') == 2


def test_its_route_answers_and_its_command_stands_in_the_document(get: Get) -> None:
    assert json.loads(get("/api/x/openfiles/count"))["files"] > 0
    paths = json.loads(get("/api/openapi.json"))["paths"]
    assert paths["/api/commands/openfiles"]["post"]["summary"].startswith("Tell how many files")


def test_nobody_else_reaches_them(get: Get) -> None:
    with pytest.raises(HTTPError, match="404"):
        get("/api/x/openfiles/nothing")
