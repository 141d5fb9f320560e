"""A daemon that is restarted or killed, and a console that is, while pages are open."""

from __future__ import annotations

import signal

from tests.browser.conftest import Sign, daemon_of
from tests.browser.visitors import Visitor
from tests.httpd.consoles import ConsoleProcess
from tests.live.conftest import accounted

SLEEPER = "[watcher:web]\ncmd = sleep 1000\nready = spawned\ndeath_signal = KILL\n"


def test_killed_and_found_again(sign: Sign) -> None:
    with accounted() as daemons:
        daemon = daemon_of(SLEEPER)
        daemons.append(daemon)
        daemon.start().until_active("web", 1)
        console = ConsoleProcess(daemon.endpoint).start()
        try:
            ann = sign(console)
            (pid,) = daemon.pids("web")
            watcher_page = sign(console)
            watcher_page.watcher("web")
            daemon.adrift.add(pid)
            daemon.adrift.update(daemon.pids("circusd-stats"))
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait()
            for visitor in (ann, watcher_page):
                visitor.page.get_by_text("The daemon is not there").wait_for()
            daemon.start()
            for visitor in (ann, watcher_page):
                visitor.page.get_by_text("The daemon is not there").wait_for(state="detached")
            daemon.until_active("web", 1)
            (new_pid,) = daemon.pids("web")
            assert new_pid != pid
            watcher_page.page.locator(f'tr[data-pid="{new_pid}"]').wait_for()
            _stop_from_page(ann)
            assert daemon.status("web")["status"] == "stopped"
        finally:
            console.stop()


def _stop_from_page(ann: Visitor) -> None:
    ann.page.get_by_role("button", name="Stop web", exact=True).click()
    ann.row("web").locator('[data-state="stopped"]').wait_for()


def test_a_restarted_console_is_found_again(sign: Sign) -> None:
    with accounted() as daemons:
        daemon = daemon_of(SLEEPER, statistics=False)
        daemons.append(daemon)
        daemon.start().until_active("web", 1)
        console = ConsoleProcess(daemon.endpoint).start()
        try:
            ann = sign(console)
            console.stop()
            ann.page.locator("#live[data-live=lost]").wait_for()
            ann.page.get_by_role("button", name="Stop web", exact=True).click()
            assert "the console did not answer" in ann.outcome("error")
            console.start()
            ann.until_live()
            _stop_from_page(ann)
        finally:
            console.stop()
