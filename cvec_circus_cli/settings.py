"""What is said before the command: where the daemon is, how long to wait, how to print."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cvec_circus_cli.arguments import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DEFAULT_TIMEOUT = 5.0
BIGGEST_PORT = 65535
MOST_HOSTS = 10_000
VARIABLE = "CIRCUSCTL_ENDPOINT"
KEY_COMMANDS = ("keygen", "authorize", "revoke", "trust", "keys")
"""Commands of circusctl's own that are about files of keys, and reach no daemon."""

SWITCHES = {
    "--json": "print the reply as JSON",
    "--prettify": "print it indented and sorted",
    "--wait-for-daemon": "where nothing listens, wait for it, as long as for an answer",
    "--fleet": "ask the daemons of all hosts of the fleet: status, stats, tail, listen, reload",
    "--raw": "do not make escapes of others visible on a terminal",
    "--no-color": "print without colours, as NO_COLOR in the environment does",
}
_OTHER_SPELLINGS = {
    "--no_color": "--no-color",
    "--hosts_at_once": "--hosts-at-once",
    "--wait_for_daemon": "--wait-for-daemon",
    "--ssh-keyfile": "--ssh_keyfile",
    "--trust_user": "--trust-user",
}
VALUES = {
    "--endpoint": ("ENDPOINT", f"where the daemon is; else ${VARIABLE}, else tcp://127.0.0.1:5555"),
    "--timeout": ("SECONDS", f"how long to wait for the answer, {DEFAULT_TIMEOUT:g} unless told"),
    "--trust-user": ("USER", "who may listen on this machine, beside root and you; repeatable"),
    "--hosts-at-once": ("N", "with --fleet, how many hosts reload at the same time; 1 unless told"),
    "--ssh": ("USER@HOST[:PORT]", "go through ssh"),
    "--ssh_keyfile": ("FILE", "key for ssh"),
    "--keys": ("FOLDER", "keys for daemons elsewhere; else $CIRCUS_KEYS, else ~/.config/circus"),
}


class BadEndpoint(UsageError):
    """What was given as an endpoint is none; the text shows what one looks like."""


class Settings:
    """The options of circusctl itself."""

    def __init__(self) -> None:
        self.endpoint: str | None = None
        self.timeout: float | None = None
        self.ssh: str | None = None
        self.ssh_keyfile: str | None = None
        self.keys: str | None = None
        self.trusted_users: list[str] = []
        self.json = False
        self.prettify = False
        self.raw = False
        self.waits_for_daemon = False
        self.fleet = False
        self.hosts_at_once = 1
        self.colourless = bool(os.environ.get("NO_COLOR"))

    @property
    def is_json(self) -> bool:
        """Whether standard output is JSON, one way or the other."""
        return self.json or self.prettify

    @property
    def shows_escapes(self) -> bool:
        """Whether escapes in what others have written are shown, and not obeyed."""
        return not self.raw and sys.stdout.isatty()

    @property
    def control_endpoint(self) -> str:
        """Where commands go, as far as one can see."""
        return self.endpoint or os.environ.get(VARIABLE) or "tcp://127.0.0.1:5555"

    def checked_endpoint(self) -> str:
        """Return where commands go. Raises BadEndpoint where nothing can be there."""
        return read_endpoint(f"${VARIABLE}", self.control_endpoint)

    def read(self, words: Sequence[str]) -> list[str]:
        """Take the options that come first, and return the words after them.

        Raises UsageError. The words --help and --version are left for others.
        """
        rest = iter(words)
        for word in rest:
            name, equals, value = word.partition("=")
            if word == "--":
                return list(rest)
            if word in ("--help", "-h", "--version") or not word.startswith("-"):
                return [word, *rest]
            if not self.take(name, value if equals else None, rest):
                raise UsageError(f"there is no option {name}")
        return []

    def take_json(self, words: Iterable[str]) -> None:
        """Take what says that JSON is wanted, wherever it stands in words that make no sense.

        Who reads JSON is to read of the mistake, too.
        """
        self.json = self.json or "--json" in words
        self.prettify = self.prettify or "--prettify" in words

    def take(self, name: str, value: str | None, rest: Iterator[str]) -> bool:
        """Take one option, with its value from the words if it needs one; or return False."""
        name = _OTHER_SPELLINGS.get(name, name)
        if name in SWITCHES:
            if value is not None:
                raise UsageError(f"{name} takes no value")
            self.json = self.json or name == "--json"
            self.prettify = self.prettify or name == "--prettify"
            self.waits_for_daemon = self.waits_for_daemon or name == "--wait-for-daemon"
            self.colourless = self.colourless or name == "--no-color"
            self.raw = self.raw or name == "--raw"
            self.fleet = self.fleet or name == "--fleet"
            return True
        if name not in VALUES:
            return False
        text = next(rest, None) if value is None else value
        if not text:
            raise UsageError(f"{name} needs a value")
        match name:
            case "--endpoint":
                self.endpoint = read_endpoint(name, text)
            case "--timeout":
                self.timeout = _seconds(text)
            case "--ssh":
                self.ssh = text
            case "--trust-user":
                self.trusted_users.append(text)
            case "--hosts-at-once":
                self.hosts_at_once = _count(name, text)
            case "--keys":
                self.keys = text
            case _:
                self.ssh_keyfile = text
        return True


def read_endpoint(name: str, text: str) -> str:
    """Return an endpoint as it is, if a daemon can be there. Raises BadEndpoint."""
    transport, _, place = text.partition("://")
    host, _, port = place.rpartition(":")
    is_tcp = transport == "tcp" and bool(host) and port.isdecimal() and int(port) <= BIGGEST_PORT
    if not is_tcp and not (transport == "ipc" and place):
        like = "tcp://127.0.0.1:5555 or ipc:///run/circus.sock"
        raise BadEndpoint(f"{name} is an address like {like}, not {text!r}")
    return text


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= MOST_HOSTS):
        raise UsageError(f"{name} is a number from 1 to {MOST_HOSTS}, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise UsageError(f"--timeout is a number of seconds, not {text!r}")
    return seconds
