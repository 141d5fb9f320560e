"""What the machine of all watchers may be told. All frozen; watchers are named by their keys."""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus_core.model.outcome import Outcome
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.arbiter.effects import AskId
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher.inputs import Tick, TicketId


class WatcherFacts(Struct, frozen=True):
    """What counts of one watcher for the others."""

    spec: WatcherSpec
    status: WatcherStatus = WatcherStatus.STOPPED
    condition: Condition = Condition.DOWN
    is_ready: bool = False
    """Whether it is active, and each of its processes, or one before it, has been ready."""

    @property
    def is_up(self) -> bool:
        """Whether it has processes that nobody has asked to go."""
        return self.status in (WatcherStatus.ACTIVE, WatcherStatus.STARTING)


class Added(Struct, frozen=True):
    """A watcher is new."""

    watcher: str
    facts: WatcherFacts


class Became(Struct, frozen=True):
    """A watcher's facts are others than before."""

    watcher: str
    facts: WatcherFacts


class Troubled(Struct, frozen=True):
    """A process of a watcher could not be started, or has ended before it was ready."""

    watcher: str


class Wished(Struct, frozen=True):
    """Somebody has sent a watcher a wish of its own, which counts more than older ones for all."""

    watcher: str


class Answered(Struct, frozen=True):
    """An effect with this number has come to its end."""

    ask: AskId
    outcome: Outcome


class StartAll(Struct, frozen=True):
    """Somebody wants every autostart watcher up, but for those whose turn has been."""

    ticket: TicketId
    done: frozenset[str] = frozenset()


class StopAll(Struct, frozen=True):
    """Somebody wants every watcher down."""

    ticket: TicketId


class ReloadAll(Struct, frozen=True):
    """Somebody wants new processes for every watcher that is up, one watcher after another."""

    ticket: TicketId
    graceful: bool = True
    sequential: bool = False


class ConfigRead(Struct, frozen=True):
    """A configuration whose new sockets are open, beside those that are in force."""

    configuration: Configuration
    sockets: Mapping[str, SocketSpec]
    """The sockets in force."""
    late_sockets: frozenset[str] = frozenset()
    """Those that can not be opened before their old selves are closed, or ``givers`` are down."""
    givers: frozenset[str] = frozenset()
    """Keys of the watchers that hold the address of one of them, and are removed or replaced."""


class ReloadConfig(Struct, frozen=True):
    """Somebody wants what a configuration says, where it differs from what is in force."""

    ticket: TicketId
    reading: ConfigRead


class RestartAll(Struct, frozen=True):
    """Somebody wants everything stopped, the configuration applied, and everything started."""

    ticket: TicketId
    reading: ConfigRead


class RemoveWatcher(Struct, frozen=True):
    """Somebody wants a watcher forgotten, once it is stopped, or at once with ``nostop``."""

    ticket: TicketId
    watcher: str
    nostop: bool = False


class Quit(Struct, frozen=True):
    """Somebody wants the end of everything."""

    ticket: TicketId


class HastenAll(Struct, frozen=True):
    """Nobody has any grace from now on, and a quit keeps no order any more."""


ArbiterRequest = StartAll | StopAll | ReloadAll | ReloadConfig | RestartAll | RemoveWatcher | Quit
ArbiterInput = Added | Became | Troubled | Wished | Answered | ArbiterRequest | HastenAll | Tick
