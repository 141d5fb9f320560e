"""The options of the fleet's agent, and the store that they name."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cvec_circus_core.api import (
    DURATION,
    INTEGER,
    TEXT,
    WORDS,
    ConfigError,
    at_least,
    option,
    or_none,
)
from cvec_circus_plugins.fleet.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROOT_FOLDER = "/var/lib/cvec_circus/fleet"
_LEAST_LEASE, _MOST_LEASE = 2, 3600


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """Which fleet this host is in, and how it is known there."""

    etcd: tuple[str, ...] = option(
        ("http://127.0.0.1:2379",),
        WORDS,
        "endpoints of the etcd cluster; the next one is asked where one does not answer",
    )
    name: str | None = option(
        None, or_none(TEXT), "name of this host in the fleet; that of the machine by default"
    )
    fleet: str = option("default", TEXT, "name of the fleet, where several share an etcd")
    labels: tuple[str, ...] = option(
        (), WORDS, "what where may ask for, as LABEL:VALUE, such as zone:a disk:ssd"
    )
    address: str = option("", TEXT, "where others reach this host; only told to those who ask")
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
    cafile: str = option("", TEXT, "certificates by which servers of etcd are checked")
    certfile: str = option("", TEXT, "certificate that is shown to etcd")
    keyfile: str = option("", TEXT, "key of that certificate")

    def __post_init__(self) -> None:
        """Look for what no single option can see. Raises `ConfigError`."""
        for label in self.labels:
            key, colon, value = label.partition(":")
            if not colon or not _LABEL.fullmatch(key) or not value:
                raise ConfigError(f"labels has {label!r}, which isn't LABEL:VALUE")
        for what, text in (("name", self.host), ("fleet", self.fleet)):
            if not _NAME.fullmatch(text):
                raise ConfigError(f"{what} isn't made of letters, digits, dots, - and _: {text!r}")
        if not self.etcd:
            raise ConfigError("etcd names no endpoint")
        for endpoint in self.etcd:
            if not endpoint.startswith(("http://", "https://")):
                raise ConfigError(f"etcd has {endpoint!r}, which isn't http:// or https://")
        if self.lease > _MOST_LEASE:
            raise ConfigError(f"lease is more than {_MOST_LEASE} s")
        if self.margin >= self.lease / 2:
            raise ConfigError("margin is half of the lease or more")

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
    return EtcdStore(settings.etcd, user=settings.user, password=settings.password, tls=tls)
