"""What a watcher's machine may be told. All frozen; times are monotonic seconds."""

from __future__ import annotations

from enum import Enum
from typing import NewType

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.notices import Notice
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.rollout import Rollout

TicketId = NewType("TicketId", int)


class Wanted(Enum):
    """The wish: what was asked last."""

    UP = "up"
    DOWN = "down"
    ON_DEMAND = "on demand"
    """Down, and up as soon as something connects to one of its sockets."""
    DETACHED = "detached"
    """Forgotten with its processes left running: only their ends are still told."""


class Go(Enum):
    """The four wishes about the whole watcher."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    LEAVE = "leave"
    """Forget it and leave its processes running."""


class Wish(Struct, frozen=True):
    """A caller wants the watcher up, down, or anew."""

    go: Go
    ticket: TicketId | None = None
    closes: bool = False
    """Later wishes to come up are refused: the watcher is removed, or the daemon quits."""
    reason: str | None = None
    """Why it is stopped, where no operator wants that: it gives up. Means nothing to one that is
    not wanted up any more, because an operator's word counts more."""
    for_good: bool = False
    """With a reason: the caller will not start it again."""


class Close(Struct, frozen=True):
    """Refuse later wishes to come up; what is up stays so for now."""


class Hasten(Struct, frozen=True):
    """Stop waiting for graces: SIGKILL whatever is stopping."""


class Resize(Struct, frozen=True):
    """Keep this many processes."""

    count: int
    ticket: TicketId | None = None


class Renew(Struct, frozen=True):
    """Replace every process by a new generation, within these bounds or the spec's own."""

    rollout: Rollout | None = None
    ticket: TicketId | None = None


class Hangup(Struct, frozen=True):
    """Reload by SIGHUP: the processes stay."""

    ticket: TicketId | None = None


class Change(Struct, frozen=True):
    """The spec is another one from now on; ``keys`` name the options that were set.

    With ``renew`` the processes are replaced. If the new ones do not get ready, the options that
    made this necessary are taken back.
    """

    spec: WatcherSpec
    keys: tuple[str, ...]
    ticket: TicketId | None = None
    renew: bool = False


class Retire(Struct, frozen=True):
    """Stop some processes; what the watcher wants stays, so they are replaced."""

    pids: tuple[int, ...]
    signum: int | None = None
    grace: float | None = None
    ticket: TicketId | None = None


class Forget(Struct, frozen=True):
    """Nobody waits for this ticket, and there are too many."""

    ticket: TicketId


class Spawned(Struct, frozen=True):
    """A `Spawn` effect worked.

    ``chance`` is a random number from 0 to 1, for the ageing. ``is_serving``: the process has
    managed sockets, and it will be told when it waits on them (`Ready`).
    """

    wid: int
    pid: int
    chance: float = 0.0
    is_serving: bool = False


class Found(Struct, frozen=True, omit_defaults=True):
    """A process of this watcher runs that an earlier daemon has started.

    It counts like one that was spawned here: its slot is taken, no other process is started in its
    place, and its end is told once. ``started_at`` is a monotonic moment; ``generation`` is the one
    it was started in, and ``ready`` whether it was known to be ready. ``leaving`` is why it was
    asked to go: it is asked once more, for nobody knows whether that has come to it.
    """

    wid: int
    pid: int
    started_at: float
    generation: int = 0
    ready: bool = False
    deaths: int = 0
    bad_ends: int = 0
    unready_ends: int = 0
    expires_at: float | None = None
    leaving: ExitReason | None = None


class FoundWaiting(Struct, frozen=True, omit_defaults=True):
    """A slot of this watcher waits to be tried again, and an earlier daemon has counted why."""

    wid: int
    retry_at: float
    """A monotonic moment."""
    deaths: int = 0
    bad_ends: int = 0
    failed_tries: int = 0
    spawn_failures: int = 0
    unready_ends: int = 0
    was_ready: bool = False


class Remembered(Struct, frozen=True, omit_defaults=True):
    """What an earlier daemon wanted of this watcher, and has counted.

    It comes first of all, before what is found.
    """

    wanted: Wanted
    status: WatcherStatus
    restart_when_down: bool = False
    reason: str | None = None
    gave_up: bool = False
    fatal: bool = False
    generation: int = 0
    rolling: bool = False
    never_waits: bool = False
    finished: int = 0
    quick_runs: int = 0
    restarts: int = 0
    last_exit: int | None = None
    last_death: int | None = None
    has_run: bool = False


class SpawnFailed(Struct, frozen=True):
    """A `Spawn` effect did not work.

    ``shortage``: the machine or a limit had no room for a process; the program is not at fault.
    """

    wid: int
    reason: str
    shortage: bool = False


class Ready(Struct, frozen=True):
    """A process is known to be ready."""

    pid: int


class Noticed(Struct, frozen=True):
    """A process has said something of itself."""

    pid: int
    notice: Notice


class Exited(Struct, frozen=True):
    """A process ended. ``left_behind``: descendants of it are still alive."""

    pid: int
    code: int | None
    left_behind: bool = False
    address_in_use: bool = False
    """Whether it has met a process at its address that is to be replaced, as far as is known."""
    address_holder: str | None = None
    """Who else was at its address."""
    address_is_left: bool = False
    """Whether a process of another watcher was at its address that is about to go."""


class Swept(Struct, frozen=True):
    """Nothing of an ended process's tree is alive any more."""

    pid: int


class HookAnswered(Struct, frozen=True):
    """An `AskHook` effect is answered. ``why`` tells who said no, or what went wrong."""

    serial: int
    wid: int | None
    allowed: bool
    why: str = ""


class SocketReady(Struct, frozen=True):
    """A `Listen` effect is answered: something has connected."""


class Tick(Struct, frozen=True):
    """The moment that `wake_at` named has come."""


Input = (
    Wish
    | Close
    | Hasten
    | Resize
    | Renew
    | Hangup
    | Change
    | Retire
    | Forget
    | Spawned
    | Found
    | FoundWaiting
    | Remembered
    | SpawnFailed
    | Ready
    | Noticed
    | Exited
    | Swept
    | HookAnswered
    | SocketReady
    | Tick
)
