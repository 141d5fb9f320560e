"""Keys for the tests: a daemon's, and those of people, in files as circusctl makes them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from cvec_circus_core.control.keygen import new_pair
from cvec_circus_core.model.curve_keys import CurveKeys, read_pair
from tests.live.daemon import BIN, LIMIT, Daemon

Start = Callable[..., Daemon]


class Keyring:
    """A folder for the daemon, and one for each person."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon_key = folder / "daemon" / "daemon.key"
        self.control("keygen", "--daemon", str(self.daemon_key))
        text = self.daemon_key.read_text(encoding="utf-8")
        self.server = read_pair(text, "daemon.key").public

    @property
    def circus(self) -> str:
        """The lines of [circus]."""
        return f"curve_key = {self.daemon_key}\n"

    def control(self, *words: str) -> str:
        """Run a command of circusctl and return what it says."""
        done = subprocess.run(
            [BIN / "circusctl", *words], capture_output=True, text=True, timeout=LIMIT
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def person(self, name: str, role: str | None, host: str = "127.0.0.1") -> Path:
        """Make somebody, let him in where he has a role, and return the folder of his keys."""
        folder = self.folder / name
        self.control("--keys", str(folder), "keygen")
        self.control("--keys", str(folder), "trust", host, self.server)
        if role is not None:
            self.authorize(name, role)
        return folder

    def authorize(self, name: str, role: str) -> None:
        """Let somebody in."""
        list_ = str(self.daemon_key.parent / "authorized_keys")
        self.control("authorize", "--file", list_, "--role", role, name, self.public(name))

    def revoke(self, name: str) -> None:
        """Let him in no more."""
        list_ = str(self.daemon_key.parent / "authorized_keys")
        self.control("revoke", "--file", list_, name)

    def public(self, name: str) -> str:
        """Return the public half of a person's key."""
        return self.keys(name).own.public

    def keys(self, name: str) -> CurveKeys:
        """Return what a person shows."""
        file = self.folder / name / "client.key"
        return CurveKeys(self.server, read_pair(file.read_text(encoding="utf-8"), str(file)))

    def words(self, name: str) -> str:
        """Return the same for the environment of `others.py`."""
        keys = self.keys(name)
        return f"{keys.server}:{keys.own.public}:{keys.own.secret}"

    def words_for_another_daemon(self, name: str) -> str:
        """Return the same, but as for a daemon that is not there."""
        own = self.keys(name).own
        return f"{new_pair().public}:{own.public}:{own.secret}"


def by_key(start: Start, ring: Keyring, body: str = "", circus: str = "") -> Daemon:
    """Start a daemon that other machines may reach; the test itself holds the key of `boss`."""
    ring.person("boss", "operator")
    keys = ring.keys("boss")
    return start(body, circus=circus + ring.circus, tcp=True, host="0.0.0.0", keys=keys)
