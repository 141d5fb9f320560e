"""The console that the daemon runs itself, and a daemon that runs none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.httpd.conftest import SLEEPERS
from tests.httpd.consoles import word_of
from tests.live.daemon import Daemon, free_port, until

_LINK = re.compile(r"lets you in once: (http\S+)")


def with_console(
    start: Any, tmp_path: Path, body: str = SLEEPERS, **options: Any
) -> tuple[Daemon, str]:
    """Start a daemon with a console of its own; return where that is."""
    port = free_port()
    circus = f"httpd = True\nhttpd_port = {port}\nhttpd_folder = {tmp_path}/kept\n"
    daemon = start(body, circus=circus + options.pop("circus", ""), **options)
    daemon.until_active("circushttpd", 1)
    base = f"http://127.0.0.1:{port}"
    until(lambda: answers(base))
    return daemon, base


def answers(base: str) -> bool:
    """Tell whether a console answers there."""
    try:
        return httpx.get(f"{base}/sign-in", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def test_the_daemon_runs_it_and_its_log_has_the_first_link(start: Any, tmp_path: Path) -> None:
    daemon, base = with_console(start, tmp_path)
    until(lambda: _LINK.search(daemon.text()) is not None)
    found = _LINK.search(daemon.text())
    assert found is not None
    secret = found[1].partition("?link=")[2]
    with httpx.Client(base_url=base) as browser:
        assert browser.post("/sign-in", data={"link": secret}).status_code == 303
        headers = {"x-csrf-token": word_of(browser.get("/"))}
        reply = browser.post("/actions/incr", json={"name": "web"}, headers=headers)
        assert reply.json()["numprocesses"] == 3


def test_it_is_started_again_when_it_dies(start: Any, tmp_path: Path) -> None:
    daemon, base = with_console(start, tmp_path)
    [pid] = daemon.pids("circushttpd")
    psutil.Process(pid).kill()
    until(lambda: daemon.pids("circushttpd") not in ([], [pid]))
    until(lambda: answers(base))


def test_it_ends_with_a_daemon_that_is_killed(tmp_path: Path) -> None:
    # No account: what such a daemon had started is not reaped by it.
    daemons: list[Daemon] = []

    def start(body: str, **options: Any) -> Daemon:
        daemons.append(Daemon(body, **options))
        return daemons[-1].start()

    try:
        daemon, base = with_console(start, tmp_path, body="")
        [pid] = daemon.pids("circushttpd")
        daemon.process.kill()
        daemon.process.wait()
        until(lambda: not psutil.pid_exists(pid))
        assert not answers(base)
        daemon.start()
        until(lambda: answers(base))
        assert daemon.stop() == 0
    finally:
        daemons[0].clean_up()


def test_circusctl_makes_tokens_in_its_folder(start: Any, tmp_path: Path) -> None:
    daemon, base = with_console(start, tmp_path)
    made = daemon.control("token", "add", "deploy", "--role", "operator", "--days", "30")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert token.startswith("circus_")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=base, headers=headers) as program:
        assert program.post("/api/commands/incr", json={"name": "web"}).status_code == 200
        assert daemon.control("token", "list").stdout == "deploy: operator, for 30 days\n"
        assert daemon.control("token", "rm", "deploy").stdout == "ok\n"
        assert program.post("/api/commands/incr", json={"name": "web"}).status_code == 401
    again = daemon.control("token", "rm", "deploy")
    assert (again.returncode, again.stderr) == (3, "error: there is no token 'deploy'\n")
    assert token not in daemon.text()


def test_reloadconfig_replaces_it_when_its_options_change(start: Any, tmp_path: Path) -> None:
    daemon, base = with_console(start, tmp_path)
    other = free_port()
    daemon.circus = daemon.circus.replace(base.rpartition(":")[2], str(other))
    daemon.write(SLEEPERS)
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: answers(f"http://127.0.0.1:{other}"))
    assert not answers(base)
    daemon.circus = ""
    daemon.write(SLEEPERS)
    daemon.ok("reloadconfig", waiting=True)
    assert "circushttpd" not in daemon.ok("status")["statuses"]


def test_a_console_that_can_not_start_says_why_and_hurts_nobody(start: Any, tmp_path: Path) -> None:
    circus = f"httpd = True\nhttpd_host = 0.0.0.0\nhttpd_folder = {tmp_path}/kept\n"
    daemon = start(SLEEPERS, circus=circus)
    daemon.until_active("web", 2)
    until(
        lambda: "the console can not run: the console does not listen at 0.0.0.0" in daemon.text()
    )


def test_a_daemon_without_a_console_imports_nothing_of_it(start: Any, tmp_path: Path) -> None:
    witness = tmp_path / "imported"
    hook = f"hooks.after_start = tests.httpd.imported.tell\nhook_file = {witness}\n"
    daemon = start(f"[watcher:w]\ncmd = sleep 1000\nready = spawned\n{hook}")
    daemon.until_active("w", 1)
    until(witness.exists)
    modules = set(witness.read_text().split())
    assert "cvec_circus_core.engine" in modules
    banned = ("starlette", "uvicorn", "jinja2", "argon2", "websockets", "h11")
    assert not {module for module in modules if module.split(".")[0] in banned}
    assert not {module for module in modules if module.startswith("cvec_circus_plugins.httpd")}
