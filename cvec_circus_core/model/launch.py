"""Everything that is needed to start one process, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from cvec_circus_core.model.capabilities import Capabilities
from cvec_circus_core.model.values import Struct, field


class Channel(Enum):
    """Where a standard stream of a child leads, when not to a descriptor."""

    INHERIT = "the daemon's own"
    NULL = "/dev/null"


class LaunchPlan(Struct, frozen=True, kw_only=True):
    """How to start one process.

    Names of users and groups are looked up at each spawn, so that an account made later is found.
    ``env`` is the whole environment. ``stdin``, ``stdout`` and ``stderr`` are a `Channel` or an
    open descriptor, which stays the caller's. ``rlimits`` maps names without the RLIMIT_ prefix,
    in lower case, to the soft and hard limit; None is unlimited.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    executable: str | None = None
    working_dir: str | None = None
    uid: int | str | None = None
    gid: int | str | None = None
    umask: int | None = None
    rlimits: Mapping[str, int | None] = field(default_factory=dict)
    no_new_privs: bool = False
    capabilities: Capabilities | None = None
    oom_score_adj: int | None = None
    death_signal: int | None = None
    """What the kernel sends the process when the thread that started it is gone (Linux)."""
    stdin: Channel | int = Channel.NULL
    stdout: Channel | int = Channel.INHERIT
    stderr: Channel | int = Channel.INHERIT
    keep_descriptors: tuple[int, ...] = ()
    """Descriptors that the child keeps under the same numbers."""
    in_a_row: tuple[int, ...] = ()
    """Descriptors that the child gets as 3, 4 and so on, and its own pid as LISTEN_PID."""
    contain: bool = False
    """Keep all descendants findable, whatever they do, where the system can (Linux cgroups).

    Makes a spawn several times as dear; without it, and elsewhere, a descendant that detached
    itself before anybody looked and took its birthmark off is not found.
    """
