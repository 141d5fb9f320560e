"""A slot: a numbered place (wid) for one process. Its phase:

    WAITING   its process died quickly or could not start; it is tried again at ``retry_at``
    ASKING    the hook before_spawn was asked and has not answered
    SPAWNING  a Spawn effect is under way
    RUNNING   the process is there
    STOPPING  it was asked to go; at ``kill_at`` it is killed
    ENDED     nothing runs in it, and what follows is decided in this very step

A RUNNING slot is current or outdated; an outdated one is replaced, then stopped. A SPAWNING one of
an older generation becomes RUNNING first. ``was_ready`` tells that a process in this slot has been
ready since it was opened, or since a reload found it waiting: a reload ends when that holds for
all.
"""

from __future__ import annotations

from enum import Enum

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.values import Struct


class Phase(Enum):
    """Where a slot is between two processes."""

    WAITING = "waiting"
    ASKING = "asking"
    SPAWNING = "spawning"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class Slot(Struct, eq=False):
    """A place for one process."""

    wid: int
    serial: int
    """Tells this stay, or this waiting, from an earlier one of the same slot."""
    generation: int
    phase: Phase = Phase.SPAWNING
    pid: int = 0
    started_at: float = 0.0
    has_spawned: bool = False
    """Whether it has had a process since it was opened, or since a reload found it waiting."""
    deaths: int = 0
    """In a row, since a process here was stable; failures to start one count, too."""
    bad_ends: int = 0
    """Those among them that were neither a normal exit nor a failure to start one."""
    failed_tries: int = 0
    """Tries in a row to start a process."""
    spawn_failures: int = 0
    """The same, but for those that failed because the machine had no room."""
    unready_ends: int = 0
    """Processes that ended here before one was ready."""
    could_not_start: bool = False
    """Whether its process is the first after one or more tries that failed."""
    outdated: ExitReason | None = None
    """Why its process is to be replaced."""
    ready: bool = False
    was_ready: bool = False
    question: int = 0
    """Serial number of the question to a hook that is open about this slot."""
    needs_approval: bool = False
    """Whether its process may not be ready before a hook has answered."""
    is_ready_once_approved: bool = False
    is_serving: bool = False
    """Whether its process has managed sockets on which it can be seen to wait."""
    is_settling: bool = False
    """Whether its process is well, and has to stay so for a while before it counts as ready."""
    ready_at: float = 0.0
    ready_by: float | None = None
    """When it has taken too long to be ready."""
    status: str | None = None
    """What its process says of itself."""
    ping_interval: float = 0.0
    """Seconds between two pings of its process; 0 where it has no watchdog."""
    ping_by: float = 0.0
    ping_check_at: float | None = None
    """When the watchdog looks again; ``ping_by`` may have moved on by then."""
    retry_at: float = 0.0
    kill_at: float | None = None
    expires_at: float | None = None
    stable_at: float | None = None
    """When its process has lived for so long that the deaths before do not count any more."""
    exit_reason: ExitReason = ExitReason.EXITED
    """What the reap event will say."""

    def forget_deaths(self) -> None:
        """Let no death count any more that was before."""
        self.deaths = self.bad_ends = 0

    def begin_process(self, pid: int, now: float) -> None:
        """Forget what was so of the process before."""
        self.pid, self.started_at = pid, now
        self.could_not_start = self.failed_tries > 0
        self.failed_tries = self.spawn_failures = 0
        self.ready, self.kill_at, self.stable_at = False, None, None
        self.needs_approval, self.is_ready_once_approved = False, False
        self.is_serving, self.is_settling = False, False
        self.exit_reason, self.status = ExitReason.EXITED, None
        self.ping_interval, self.ping_check_at = 0.0, None
