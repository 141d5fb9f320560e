"""Which capabilities of Linux the processes of a watcher may have, as an option.

Written as systemd's CapabilityBoundingSet: names to keep, ``none``, or after ``~`` names to take
away. In a file an empty value is refused: it may mean everything or nothing, and the two are far
apart.
"""

from __future__ import annotations

from typing import Any

from cvec_circus_core.model.kinds import Kind
from cvec_circus_core.model.values import Struct

NAMES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"),
    *("setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"),
    *("ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct"),
    *("sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod"),
    *("lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"),
    *("wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
)
"""In the order of their numbers, without their prefix (see capabilities(7))."""

_PREFIX = "cap_"
_NONE = "none"
_TAKES_AWAY = "~"


class Capabilities(Struct, frozen=True):
    """Names without their prefix: all that is kept, or all that is taken away."""

    names: tuple[str, ...]
    taken_away: bool = False

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the names."""
        return frozenset(NAMES.index(name) for name in self.names)

    def keeps(self, number: int) -> bool:
        """Tell whether a capability may be had; one that has no name here is none of ours."""
        return (number in self.numbers) is not self.taken_away

    @property
    def given(self) -> frozenset[int]:
        """Those that a process gets whoever it runs as; naming what is taken away gives nothing."""
        return frozenset() if self.taken_away else self.numbers

    def __str__(self) -> str:
        said = " ".join(_PREFIX + name for name in self.names) or _NONE
        return _TAKES_AWAY + said if self.taken_away else said


def _read(value: Any) -> Capabilities | None:
    if value is None or isinstance(value, Capabilities):
        return value
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return _parse(" ".join(value) or _NONE)
    if not isinstance(value, str):
        raise ValueError("names of capabilities")
    return _parse(value)


def _parse(text: str) -> Capabilities:
    said = text.strip()
    taken_away = said.startswith(_TAKES_AWAY)
    words = said.removeprefix(_TAKES_AWAY).replace(",", " ").lower().split()
    if words == [_NONE] and not taken_away:
        return Capabilities(())
    if not words:
        raise ValueError("names of capabilities")
    names = [word.removeprefix(_PREFIX) for word in words]
    for word, name in zip(words, names, strict=True):
        if name not in NAMES:
            raise ValueError(f"names of capabilities ({word!r} is none)")
    return Capabilities(tuple(sorted(set(names), key=NAMES.index)), taken_away)


CAPABILITIES = Kind(
    "capabilities",
    "names of capabilities such as net_bind_service, or none, or ~ before names to take away",
    _parse,
    _read,
    lambda value: None if value is None else str(value),
)
