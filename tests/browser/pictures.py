"""The pictures of the documentation: ``python -m tests.browser.pictures`` makes them anew.

With a FOLDER they go there, and with them one of a wall of 4K.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.conftest import WRITER, daemon_of, playwright
from tests.browser.visitors import CHROMIUM, Visitor
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import ROOT

FOLDER = ROOT / "docs" / "pictures" / "console"
CURVES = 45
"""Points that a curve has to have before it is drawn for the documentation."""
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
WALL = {"viewport": {"width": 3840, "height": 2160}}

WATCHERS = f"""
[watcher:api]
cmd = python3 {WRITER}
numprocesses = 3
ready = spawned
stdout_stream.class = FileStream
stdout_stream.filename = {{folder}}/api.log

[watcher:mailer]
cmd = python3 {WRITER} busy
ready = spawned

[watcher:thumbnails]
cmd = sh -c 'sleep 1000 & sleep 1001 & wait'
numprocesses = 2
ready = spawned

[watcher:reports]
cmd = sh -c 'echo no table named reports >&2; sleep .2; exit 3'

[watcher:migration]
cmd = sleep 1000
autostart = False

[socket:front]
host = 127.0.0.1
port = 0

[watcher:server]
cmd = sleep 1000
use_sockets = True
ready = spawned
"""

PICTURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "overview": ("/", "light", DESKTOP),
    "overview-dark": ("/", "dark", DESKTOP),
    "overview-phone": ("/", "light", PHONE),
    "overview-phone-dark": ("/", "dark", PHONE),
    "processes": ("/watchers/{key}/processes/api", "light", DESKTOP),
    "processes-phone": ("/watchers/{key}/processes/api", "dark", PHONE),
    "output": ("/watchers/{key}/output/api", "dark", DESKTOP),
    "options": ("/watchers/{key}/options/api", "light", DESKTOP),
    "audit": ("/audit", "light", DESKTOP),
    "configuration": ("/configuration", "light", DESKTOP),
}
"""By file: the page, its colours, and the screen."""
UNUSED = {"wall": ("/", "dark", WALL)}
"""Only looked at."""


def _act(console: ConsoleProcess) -> None:
    """Let people do something that the page of who did what can show."""
    bob, vic = console.signed_in(name="bob"), console.signed_in("viewer", "vic")
    bob.ok("incr", name="api", waiting=True)
    bob.ok("decr", name="api", waiting=True)
    vic.act("stop", name="server")
    bob.ok("set", name="server", options={"graceful_timeout": 10})
    console.signed_in(name="eve").ok("reload", name="mailer", waiting=True)


@contextmanager
def stage() -> Iterator[ConsoleProcess]:
    """Run a daemon with something to show, and its console."""
    daemon = daemon_of(WATCHERS)
    console = ConsoleProcess(daemon.endpoint)
    try:
        daemon.start().until_active("api", 3)
        console.start()
        # What the page of the configuration has to tell.
        text = daemon.file.read_text().replace("processes = 3", "processes = 4")
        text = text.replace("ready = spawned\n\n[watcher:thumb", "max_age = 1d\n\n[watcher:thumb")
        daemon.file.write_text(f"{text}\n[watcher:search]\ncmd = sleep 1000\n")
        yield console
    finally:
        console.stop()
        daemon.clean_up()
        for folder in (console.folder, daemon.folder):
            shutil.rmtree(folder, ignore_errors=True)


def take(browser: Any, console: ConsoleProcess, folder: Path, points: int, more: bool) -> None:
    """Take all pictures, after curves have so many points."""
    folder.mkdir(parents=True, exist_ok=True)
    first = Visitor(browser, console)
    first.page.set_default_timeout(120_000)
    first.page.get_by_role("button", name="Restart thumbnails", exact=True).click()
    first.outcome()
    first.until(
        """points => {
          const curve = document.querySelector('tr[data-watcher="api"] .spark path[fill=none]');
          return (curve.getAttribute("d") ?? "").split("L").length >= points;
        }""",
        points,
    )
    _act(console)
    key = first.key
    for name, (path, scheme, screen) in {**PICTURES, **(UNUSED if more else {})}.items():
        visitor = Visitor(browser, console, color_scheme=scheme, **screen)
        visitor.open(path.format(key=key))
        visitor.until("() => !document.body.textContent.includes('Planning')")
        visitor.until(
            "() => [...document.querySelectorAll('.spark path')].every(p => p.getAttribute('d'))"
        )
        visitor.page.screenshot(path=folder / f"{name}.png")
        visitor.close()
    first.close()


def main() -> None:
    """Make the pictures of the documentation."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with stage() as console, playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        take(browser, console, folder, CURVES, more=len(sys.argv) > 1)
        browser.close()


if __name__ == "__main__":
    main()
