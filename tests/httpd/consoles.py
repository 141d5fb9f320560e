"""A real console for a test: circushttpd in a process of its own, and those who sign in there."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from cvec_circus_core import api
from cvec_circus_plugins.httpd.links import Links
from tests.live.daemon import BIN, LIMIT, ROOT, free_port, until

PASSWORD = "correct horse battery"
_LINK = re.compile(r"sign-in\?link=(\S+)")
_PERSON = re.compile(r'class="person">([^<(]+) \((\w+)\)<')
_WORD = re.compile(r'circus-csrf" content="([0-9a-f]{64})"')


class ConsoleProcess:
    """One circushttpd, in a folder of its own."""

    def __init__(
        self, *endpoints: str, flags: Sequence[str] = (), host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="circus-httpd-"))
        self.port = port or free_port()
        self.base = f"http://{host}:{self.port}"
        self.host = host
        self.endpoints = endpoints
        self.flags = flags
        self.log = self.folder / "out"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the console."""
        assert self._process is not None
        return self._process

    def words(self, *more: str) -> list[str]:
        """Return a command line of circushttpd for this console's folder."""
        words = [str(BIN / "circushttpd"), *more, "--folder", str(self.folder / "kept")]
        return [*words, "--host", self.host, "--port", str(self.port)]

    def launch(self, **environment: str) -> None:
        """Start it, and wait for nothing."""
        endpoints = [word for endpoint in self.endpoints for word in ("--endpoint", endpoint)]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [*self.words(), *endpoints, *self.flags],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def start(self, **environment: str) -> Self:
        """Start it, and wait until it answers."""
        self.launch(**environment)
        until(lambda: self.answers() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()
        return self

    def answers(self) -> bool:
        """Tell whether anybody answers there."""
        try:
            httpx.get(f"{self.base}/sign-in", timeout=1)
        except httpx.TransportError:
            return False
        return True

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(LIMIT)

    def text(self) -> str:
        """Return what it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run circushttpd for something else than serving."""
        return subprocess.run(
            self.words(*words), capture_output=True, text=True, timeout=LIMIT, input=given
        )

    def first_link(self) -> str:
        """Return the secret of the link that it has printed."""
        found = _LINK.search(self.text())
        assert found is not None, self.text()
        return found[1]

    def new_link(self, role: str = "operator", name: str = "ann") -> str:
        """Return the secret of another link."""
        return Links(self.folder / "kept").make(api.Person(name, api.Role(role)))

    def client(self, **headers: str) -> httpx.Client:
        """Return a browser that nobody has signed in with."""
        return httpx.Client(base_url=self.base, timeout=LIMIT, headers=headers)

    def signed_in(self, role: str = "operator", name: str = "ann") -> Person:
        """Return somebody who has signed in by a link."""
        browser = self.client()
        response = browser.post("/sign-in", data={"link": self.new_link(role, name)})
        assert response.status_code == 303, response.text
        return Person(self, browser)


class Person:
    """Somebody who is signed in, with their browser."""

    def __init__(self, console: ConsoleProcess, browser: httpx.Client) -> None:
        self.console = console
        self.browser = browser
        self.word = word_of(browser.get("/"))

    @property
    def cookie(self) -> str:
        """What the browser sends with each request."""
        return "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())

    def act(self, command: str, **properties: Any) -> httpx.Response:
        """Run a command as a page does."""
        return self.browser.post(
            f"/actions/{command}", json=properties, headers={"x-csrf-token": self.word}
        )

    def ok(self, command: str, **properties: Any) -> dict[str, Any]:
        """Return the reply to a command that is not refused."""
        response = self.act(command, **properties)
        assert response.status_code == 200, response.text
        reply: dict[str, Any] = response.json()
        return reply


def person_on(response: httpx.Response) -> tuple[str, str]:
    """Return for whom a page is, and their role."""
    found = _PERSON.search(response.text)
    assert found is not None, response.text
    return found[1], found[2]


def word_of(response: httpx.Response) -> str:
    """Return the word of the session that a page carries."""
    found = _WORD.search(response.text)
    assert found is not None, response.text
    return found[1]
