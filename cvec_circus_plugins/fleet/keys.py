"""The keys of a fleet in its store, and what is read from them.

Below the prefix of the fleet:

=====================  ====================================================  ==================
key                    value                                                 bound to a lease
=====================  ====================================================  ==================
``hosts/HOST``         labels, address, version                              that of the host
``states/HOST``        what runs there, by watcher                           that of the host
``drained/HOST``       empty: the host is to run nothing
``leader``             the host that computes what runs where                that of the host
``wanted/NUMBER``      a revision of the configuration
``current``            the number of the revision in force
``shares/HOST``        what the host is to run, by watcher
``claims/WATCHER``     the host that may run it, where it runs once          that of the host
=====================  ====================================================  ==================
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cvec_circus_plugins.fleet.placement import Counts, Host
from cvec_circus_plugins.fleet.store import Change, Entry, Snapshot
from cvec_circus_plugins.fleet.wanted import Wanted, from_json

log = logging.getLogger("circus.plugins.fleet")

LEADER, CURRENT = "leader", "current"
_HOSTS, _STATES, _DRAINED, _WANTED, _SHARES, _CLAIMS = (
    *("hosts/", "states/", "drained/", "wanted/", "shares/", "claims/"),
)
_DIGITS = 10

LIVE = (_HOSTS, _STATES, _DRAINED, LEADER, CURRENT, _SHARES, _CLAIMS)
"""All that an agent follows; the revisions of old are read by those who ask for them."""


def host_key(host: str) -> str:
    """Return the key that says that a host is alive."""
    return _HOSTS + host


def state_key(host: str) -> str:
    """Return the key that says what runs on a host."""
    return _STATES + host


def drained_key(host: str) -> str:
    """Return the key that says that a host is to run nothing."""
    return _DRAINED + host


def wanted_key(number: int) -> str:
    """Return the key of a revision."""
    return f"{_WANTED}{number:0{_DIGITS}}"


def share_key(host: str) -> str:
    """Return the key that says what a host is to run."""
    return _SHARES + host


def claim_key(watcher: str) -> str:
    """Return the key that says who may run what runs once."""
    return _CLAIMS + watcher


@dataclass(frozen=True)
class Share:
    """What one host is to run: so many processes by watcher, of one revision."""

    number: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as the store keeps it."""
        return json.dumps({"number": self.number, "counts": self.counts}, sort_keys=True)


@dataclass(frozen=True)
class HostInfo:
    """What a host tells of itself."""

    host: Host
    address: str = ""
    version: str = ""


class FleetView:
    """The keys of a fleet as they were last heard of, without their prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.revision = 0
        self._entries: dict[str, Entry] = {}
        self._wanted: dict[int, Wanted] = {}

    def reset(self, snapshot: Snapshot) -> None:
        """Begin with all that is there."""
        self._entries = {
            key.removeprefix(self.prefix): entry for key, entry in snapshot.entries.items()
        }
        self._wanted = {}
        self.revision = snapshot.revision

    def add(self, snapshot: Snapshot) -> None:
        """Take in keys that were not read with the others, and have not changed meanwhile."""
        for key, entry in snapshot.entries.items():
            self._entries.setdefault(key.removeprefix(self.prefix), entry)

    def unread(self, host: str) -> list[str]:
        """Return the keys of revisions that a host works with and that were not read."""
        numbers = {self.current, self.share(host).number} - {0}
        return [key for key in map(wanted_key, sorted(numbers)) if key not in self._entries]

    def apply(self, changes: Iterable[Change]) -> set[str]:
        """Take in changes, and return the keys."""
        changed = set()
        for change in changes:
            key = change.key.removeprefix(self.prefix)
            changed.add(key)
            if change.entry is None:
                self._entries.pop(key, None)
            else:
                self._entries[key] = change.entry
                self.revision = max(self.revision, change.entry.changed_at)
        return changed

    def entry(self, key: str) -> Entry | None:
        """Return one entry."""
        return self._entries.get(key)

    def value(self, key: str) -> str:
        """Return the value of one key; empty where it is not there."""
        entry = self._entries.get(key)
        return entry.value if entry else ""

    @property
    def numbers(self) -> list[int]:
        """The numbers of all revisions, in order."""
        texts = (key.removeprefix(_WANTED) for key in self._entries if key.startswith(_WANTED))
        return sorted(int(text) for text in texts if text.isdigit())

    @property
    def current(self) -> int:
        """The number of the revision in force; 0 where there is none."""
        text = self.value(CURRENT)
        return int(text) if text.isdigit() else 0

    def wanted(self, number: int | None = None) -> Wanted:
        """Return a revision, that in force where none is said; an empty one where it is not there.

        One that this version can not read is told in the log and counts as not there.
        """
        number = self.current if number is None else number
        if number not in self._wanted:
            entry = self.entry(wanted_key(number))
            if entry is None:
                return Wanted(number)
            try:
                self._wanted[number] = from_json(number, entry.value)
            except ValueError as error:
                log.error("fleet: %s", error)
                self._wanted[number] = Wanted(number)
        return self._wanted[number]

    @property
    def hosts(self) -> dict[str, HostInfo]:
        """The hosts that are alive, by name."""
        names = (key.removeprefix(_HOSTS) for key in self._entries if key.startswith(_HOSTS))
        return {name: self._host(name) for name in sorted(names)}

    @property
    def drained(self) -> list[str]:
        """The hosts that are to run nothing, alive or not."""
        return sorted(
            key.removeprefix(_DRAINED) for key in self._entries if key.startswith(_DRAINED)
        )

    @property
    def shares(self) -> dict[str, Share]:
        """What each host is to run; also of hosts that are not alive."""
        names = (key.removeprefix(_SHARES) for key in self._entries if key.startswith(_SHARES))
        return {name: self.share(name) for name in sorted(names)}

    def share(self, host: str) -> Share:
        """Return what one host is to run."""
        content = _object(self.value(share_key(host)))
        counts = content.get("counts", {})
        return Share(int(content.get("number", 0)), counts if isinstance(counts, dict) else {})

    @property
    def counts(self) -> Counts:
        """What the hosts are to run, by watcher and host."""
        result: dict[str, dict[str, int]] = {}
        for host, share in self.shares.items():
            for watcher, count in share.counts.items():
                result.setdefault(watcher, {})[host] = count
        return result

    @property
    def claims(self) -> dict[str, Entry]:
        """Who may run what runs once, by watcher."""
        return {
            key.removeprefix(_CLAIMS): entry
            for key, entry in self._entries.items()
            if key.startswith(_CLAIMS)
        }

    def state(self, host: str) -> Mapping[str, Any]:
        """Return what a host tells of its watchers, by name."""
        return _object(self.value(state_key(host)))

    def _host(self, name: str) -> HostInfo:
        content = _object(self.value(host_key(name)))
        labels = content.get("labels", {})
        capacity = content.get("capacity")
        return HostInfo(
            Host(
                name=name,
                labels=labels if isinstance(labels, dict) else {},
                is_drained=drained_key(name) in self._entries,
                capacity=capacity if isinstance(capacity, int) else None,
            ),
            address=str(content.get("address", "")),
            version=str(content.get("version", "")),
        )


def _object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text) if text else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
