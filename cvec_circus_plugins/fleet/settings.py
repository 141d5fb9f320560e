"""The options of the fleet's agent, and the store that they name."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cvec_circus_core.api import (
    DURATION,
    INTEGER,
    TEXT,
    WORDS,
    BadKeys,
    ConfigError,
    Fault,
    Kind,
    at_least,
    each,
    option,
    or_none,
    read_private,
)
from cvec_circus_plugins.fleet.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*:.+")
_NAME_FORM = "letters, digits, dots, - and _, at most 63"
_SCHEMES = ("http", "https")
_ADDRESS_SCHEMES = ("tcp", "ipc")
_ROOT_FOLDER = "/var/lib/cvec_circus/fleet"
_LEAST_LEASE, _MOST_LEASE = 2, 3600


def _endpoint(word: str) -> str:
    address = _split(word)
    if address is None or address.scheme not in _SCHEMES or not address.hostname:
        raise ValueError(f"an address such as http://HOST:2379 ({word!r})")
    if address.username is not None:
        raise ValueError("an address alone (give user and password as options of their own)")
    return word


def _label(word: str) -> str:
    if not _LABEL.fullmatch(word):
        raise ValueError(f"LABEL:VALUE ({word!r})")
    return word


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"made of {_NAME_FORM}")
    return text


def _address(text: str) -> str:
    address = _split(text)
    if text and (address is None or address.scheme not in _ADDRESS_SCHEMES):
        raise ValueError("an endpoint such as tcp://10.0.0.1:5555")
    return text


def _split(text: str) -> SplitResult | None:
    try:
        address = urlsplit(text)
        _ = address.port  # read only now, and refused where it is no port
    except ValueError:
        return None
    return address


def _text(allowed: str, check: Callable[[str], str]) -> Kind:
    return Kind(
        TEXT.name,
        allowed,
        lambda text: check(TEXT.parse(text)),
        lambda value: check(TEXT.check(value)),
    )


def _words(allowed: str, check: Callable[[str], str]) -> Kind:
    kind = each(WORDS, check)
    return Kind(kind.name, allowed, kind.parse, kind.check, kind.show)


_ENDPOINTS = _words("addresses such as http://HOST:2379, separated by spaces", _endpoint)
_LABELS = _words("words such as zone:a disk:ssd", _label)
_HOST_NAME = _text(_NAME_FORM, _name)
_ADDRESS = _text("an endpoint such as tcp://10.0.0.1:5555", _address)


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """Which fleet this host is in, and how it is known there."""

    etcd: tuple[str, ...] = option(
        ("http://127.0.0.1:2379",),
        _ENDPOINTS,
        "endpoints of the etcd cluster; the next one is asked where one does not answer",
    )
    name: str | None = option(
        None, or_none(_HOST_NAME), "name of this host in the fleet; that of the machine by default"
    )
    fleet: str = option("default", _HOST_NAME, "name of the fleet, where several share an etcd")
    labels: tuple[str, ...] = option(
        (), _LABELS, "what where may ask for, as LABEL:VALUE, such as zone:a disk:ssd"
    )
    address: str = option(
        "",
        _ADDRESS,
        "endpoint of this daemon as other hosts reach it; circusctl --fleet asks there",
    )
    capacity: int | None = option(
        None, or_none(at_least(INTEGER, 0)), "most processes of the fleet that this host takes"
    )
    lease: float = option(
        10.0, at_least(DURATION, _LEAST_LEASE), "seconds after which a silent host counts as gone"
    )
    margin: float = option(
        2.0,
        at_least(DURATION, 0.2),
        "seconds before the end of the lease at which what runs once is killed, where the lease "
        "could not be renewed",
    )
    settle: float = option(
        1.0,
        at_least(DURATION, 0),
        "seconds for which the leader waits for more changes before it computes anew",
    )
    folder: str | None = option(
        None, or_none(TEXT), "where is kept what a start without etcd needs"
    )
    user: str = option("", TEXT, "user of etcd")
    password: str = option("", TEXT, "password of that user", secret=True)
    password_file: str = option(
        "", TEXT, "file with that password; nobody but the daemon's user may read it"
    )
    cafile: str = option("", TEXT, "certificates by which servers of etcd are checked")
    certfile: str = option("", TEXT, "certificate that is shown to etcd")
    keyfile: str = option("", TEXT, "key of that certificate")

    def faults(self) -> Iterator[Fault]:
        """Find what no single option can see, and files that can not be used."""
        if not self.etcd:
            yield Fault("etcd", "names no endpoint")
        if self.name is None and not _NAME.fullmatch(self.host):
            sentence = f"is missing, and this machine's name {self.host!r} isn't made of"
            yield Fault("name", f"{sentence} {_NAME_FORM}")
        labels = [label.partition(":")[0] for label in self.labels]
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            yield Fault("labels", f"has {label} twice")
        if self.lease > _MOST_LEASE:
            yield Fault("lease", f"is more than {_MOST_LEASE} s")
        if self.margin >= self.lease / 2:
            yield Fault("margin", f"is half of lease or more ({self.lease:g} s)")
        yield from self._credential_faults()

    def _credential_faults(self) -> Iterator[Fault]:
        if self.password and self.password_file:
            yield Fault("password_file", "is given beside password")
        if (self.password or self.password_file) and not self.user:
            yield Fault("user", "is missing beside the password")
        if self.user and not (self.password or self.password_file):
            yield Fault("password_file", "is missing beside user")
        if self.keyfile and not self.certfile:
            yield Fault("certfile", "is missing beside keyfile")
        if (self.cafile or self.certfile) and not all(
            endpoint.startswith("https://") for endpoint in self.etcd
        ):
            yield Fault("etcd", "has an endpoint without https:// beside certificates")
        for key in ("cafile", "certfile", "keyfile"):
            if path := getattr(self, key):
                try:
                    with open(path, "rb") as file:
                        file.read(1)
                except OSError as error:
                    yield Fault(key, f"can not be read: {error.strerror}")
        try:
            self.read_password()
        except ConfigError as error:
            yield Fault("password_file", str(error))

    def read_password(self) -> str:
        """Return the password of etcd, empty where there is none. Raises `ConfigError`."""
        if not self.password_file:
            return self.password
        try:
            return read_private(self.password_file).strip("\r\n")
        except (BadKeys, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"can not be used: {reason}") from None

    @property
    def host(self) -> str:
        """The name of this host."""
        return self.name or socket.gethostname()

    @property
    def label_values(self) -> Mapping[str, str]:
        """The labels, by name."""
        return dict(label.split(":", 1) for label in self.labels)

    @property
    def prefix(self) -> str:
        """Where the keys of the fleet begin."""
        return f"/cvec_circus/{self.fleet}/"

    @property
    def state_folder(self) -> Path:
        """Where this host keeps what it needs after a restart."""
        if self.folder is not None:
            return Path(self.folder)
        if not os.geteuid():
            return Path(_ROOT_FOLDER, self.fleet)
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        return Path(base, "cvec_circus/fleet", self.fleet)


def open_store(settings: FleetSettings) -> Store:
    """Return the store of a fleet; nothing is connected yet. Raises `ConfigError`."""
    from cvec_circus_plugins.fleet.etcd import EtcdStore, tls_context

    try:
        tls = tls_context(settings.cafile, settings.certfile, settings.keyfile)
    except OSError as error:
        raise ConfigError(f"certificates of etcd: {error}") from None
    return EtcdStore(settings.etcd, user=settings.user, password=settings.read_password(), tls=tls)
