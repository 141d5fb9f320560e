"""The capabilities that a process may have: plain data, told by name (Linux, capabilities(7))."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"),
    *("setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"),
    *("ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct"),
    *("sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod"),
    *("lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"),
    *("wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
)
"""In the order of their numbers, without their prefix."""

PREFIX = "cap_"
NO_CAPABILITY = "none"
TAKES_AWAY = "~"


@dataclass(frozen=True, slots=True)
class Capabilities:
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
        """Those that a process of any user gets; naming what is taken away gives nothing."""
        return frozenset() if self.taken_away else self.numbers

    def __str__(self) -> str:
        words = " ".join(PREFIX + name for name in self.names) or NO_CAPABILITY
        return TAKES_AWAY + words if self.taken_away else words
