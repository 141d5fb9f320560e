"""The socket of the daemon's own console: bound by the daemon, and kept while the console goes."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.httpd.conftest import SLEEPERS
from tests.httpd.test_own_console import answers, with_console
from tests.live.daemon import free_port, until


class TestItsSocket:
    @pytest.mark.parametrize("command", ["reload", "restart"])
    def test_nobody_is_refused_while_the_console_is_replaced(
        self, start: Any, tmp_path: Path, command: str
    ) -> None:
        daemon, base = with_console(start, tmp_path)
        [pid] = daemon.pids("circushttpd")
        with Visits(base) as visits:
            daemon.ok(command, name="circushttpd", waiting=True)
            until(lambda: daemon.pids("circushttpd") not in ([], [pid]))
            begun = visits.count
            until(lambda: visits.count > begun + 5 or bool(visits.failures))
        assert visits.failures == []

    def test_who_comes_after_its_death_waits_for_the_next_one(
        self, start: Any, tmp_path: Path
    ) -> None:
        daemon, base = with_console(start, tmp_path)
        [pid] = daemon.pids("circushttpd")
        psutil.Process(pid).suspend()
        with socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2]))) as waiting:
            waiting.settimeout(30)
            waiting.sendall(b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\n\r\n")
            psutil.Process(pid).kill()
            assert waiting.recv(15) == b"HTTP/1.1 200 OK"

    def test_it_is_among_the_managed_sockets_and_others_do_not_get_it(
        self, start: Any, tmp_path: Path
    ) -> None:
        taker = "[socket:mine]\nport = 0\n[watcher:taker]\ncmd = sleep 1000\nuse_sockets = True\n"
        daemon, base = with_console(start, tmp_path, SLEEPERS + taker + "ready = spawned\n")
        [own] = [row for row in daemon.ok("listsockets")["sockets"] if row["name"] == "circushttpd"]
        assert own["port"] == int(base.rpartition(":")[2])
        [pid] = daemon.until_active("taker", 1)
        assert psutil.Process(pid).environ()["LISTEN_FDNAMES"] == "mine"

    def test_a_port_that_is_taken_keeps_nothing_else_from_starting(
        self, start: Any, tmp_path: Path
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            circus = f"httpd = True\nhttpd_port = {port}\nhttpd_folder = {tmp_path}/kept\n"
            daemon = start(SLEEPERS, circus=circus)
            daemon.until_active("web", 2)
            assert daemon.said("its plugin goes on trying by itself")
            daemon.ok("reloadconfig", waiting=True)
        until(lambda: answers(f"http://127.0.0.1:{port}"))

    def test_the_operator_may_say_how_it_listens(self, start: Any, tmp_path: Path) -> None:
        port = free_port()
        own = f"[socket:circushttpd]\nhost = 127.0.0.1\nport = {port}\nbacklog = 7\n"
        circus = f"httpd = True\nhttpd_folder = {tmp_path}/kept\n"
        daemon = start(SLEEPERS + own, circus=circus)
        until(lambda: answers(f"http://127.0.0.1:{port}"))
        [row] = daemon.ok("listsockets")["sockets"]
        assert row["backlog"] == 7


class Visits:
    """Somebody who asks for a page again and again, each time by a new connection."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.count = 0
        self.failures: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def __enter__(self) -> Visits:
        self._thread.start()
        until(lambda: self.count > 2)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _visit(self) -> None:
        while not self._over.wait(0.005):
            try:
                assert httpx.get(f"{self.base}/sign-in", timeout=60).status_code == 200
                self.count += 1
            except (AssertionError, httpx.HTTPError) as error:
                self.failures.append(repr(error))
