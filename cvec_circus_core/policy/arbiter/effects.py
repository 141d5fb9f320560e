"""What the machine of all watchers wants done. The runtime does it, in this order.

Everything with a number is answered by `Answered`, once.
"""

from __future__ import annotations

from typing import NewType

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, TicketId

AskId = NewType("AskId", int)
UNASKED = AskId(0)


class SendWish(Struct, frozen=True):
    """Want a watcher up, down or anew."""

    watcher: str
    go: Go
    closes: bool = False
    ask: AskId = UNASKED


class ReloadWatcher(Struct, frozen=True):
    """Reload a watcher, in the way that its spec says."""

    watcher: str
    sequential: bool = False
    ask: AskId = UNASKED


class ReplaceProcesses(Struct, frozen=True):
    """Replace a watcher's processes because their sockets have changed; a stopped one stays so."""

    watcher: str
    ask: AskId = UNASKED


class ChangeWatcher(Struct, frozen=True):
    """Let a watcher live by another spec; then send it a wish, whose end is the answer."""

    watcher: str
    spec: WatcherSpec
    then: Go | None = None
    ask: AskId = UNASKED


class AddWatcher(Struct, frozen=True):
    """Add a watcher, stopped."""

    watcher: str
    spec: WatcherSpec
    ask: AskId = UNASKED


class ExchangeSockets(Struct, frozen=True):
    """Put the sockets that this request has opened in the place of the old ones."""

    ticket: TicketId
    ask: AskId = UNASKED


class AwaitHooks(Struct, frozen=True):
    """Wait for the hooks that tell of the last ends."""

    ask: AskId = UNASKED


class CloseWatcher(Struct, frozen=True):
    """Let a watcher refuse later wishes to come up; what is up stays so for now."""

    watcher: str


class HastenWatcher(Struct, frozen=True):
    """Give a watcher's processes and hooks no grace any more."""

    watcher: str


class ForgetWatcher(Struct, frozen=True):
    """Forget a watcher: it is stopped, or was left to its processes."""

    watcher: str


WatcherAsk = SendWish | ReloadWatcher | ReplaceProcesses | ChangeWatcher | AddWatcher
Ask = WatcherAsk | ExchangeSockets | AwaitHooks
ArbiterEffect = Ask | CloseWatcher | HastenWatcher | ForgetWatcher | Settle
