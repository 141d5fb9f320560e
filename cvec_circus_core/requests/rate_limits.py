"""How much one caller may ask of the control endpoint, so that there is time for all others.

Who may do everything could stop the daemon as well, so all that they are kept from is an accident:
a program that leaves its requests open by the thousand. All others are held to a number of requests
a second, and to small ones, because a large text takes time to read whatever stands in it. They are
counted by user and not by connection, of which anybody can make another.

Who asks too often is told so, as often as they may ask; what comes on top of that is not even read.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

from cvec_circus_core.model.access import Caller
from cvec_circus_core.model.errors import BadMessage, CircusError, Conflict
from cvec_circus_core.model.values import Struct
from cvec_circus_core.system.protocols import Clock

OPEN_REQUESTS = 10_000
"""Requests that may run at once; more are refused with errno 5."""
OPEN_OF_ONE = 2_000
"""Of those, requests of one connection."""
ASKED_A_SECOND = 200
"""Requests a second of a user who may not do everything, on average."""
LONGEST_OF_OTHERS = 1 << 16
"""Bytes of a request of such a user."""

_REMEMBERED = 10_000


class Admission(Enum):
    """What becomes of a message."""

    WELCOME = auto()
    REFUSED = auto()
    UNREAD = auto()


class _Account(Struct):
    """What one user has left, in requests and in refusals."""

    requests: float
    refusals: float
    at: float


class RateLimiter:
    """Keeps the count."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._open: Counter[bytes] = Counter()
        self._open_of_all = 0

    def count(self, caller: Caller) -> Admission:
        """Count a message that has come, and tell what becomes of it."""
        if caller.rights.everything:
            return Admission.WELCOME
        account = self._account(caller.name)
        if account.requests >= 1:
            account.requests -= 1
            return Admission.WELCOME
        if account.refusals >= 1:
            account.refusals -= 1
            return Admission.REFUSED
        return Admission.UNREAD

    def refusal(self, caller: Caller) -> CircusError:
        """Return the error for who asks too often."""
        return Conflict(
            f"{caller.name} asks more than {ASKED_A_SECOND} times a second; wait, and ask again"
        )

    def oversize(self, caller: Caller, size: int) -> CircusError | None:
        """Return the error for a message that is too large for who sends it."""
        if size <= LONGEST_OF_OTHERS or caller.rights.everything:
            return None
        return BadMessage(
            f"{caller.name} may send {LONGEST_OF_OTHERS} bytes in a request, and not {size}"
        )

    def open(self, connection: bytes) -> CircusError | None:
        """Count a request that begins, or return the error for one too many."""
        if self._open_of_all >= OPEN_REQUESTS:
            return Conflict(f"{OPEN_REQUESTS} requests are waiting already")
        if self._open[connection] >= OPEN_OF_ONE:
            return Conflict(f"{OPEN_OF_ONE} requests of this connection are waiting already")
        self._open[connection] += 1
        self._open_of_all += 1
        return None

    def close(self, connection: bytes) -> None:
        """Count a request that is done."""
        self._open_of_all -= 1
        if self._open[connection] <= 1:
            del self._open[connection]
        else:
            self._open[connection] -= 1

    def _account(self, name: str) -> _Account:
        now = self._clock.now()
        account = self._accounts.get(name)
        if account is None:
            if len(self._accounts) >= _REMEMBERED:
                self._accounts.clear()
            account = self._accounts[name] = _Account(ASKED_A_SECOND, ASKED_A_SECOND, now)
        earned = (now - account.at) * ASKED_A_SECOND
        account.requests = min(account.requests + earned, ASKED_A_SECOND)
        account.refusals = min(account.refusals + earned, ASKED_A_SECOND)
        account.at = now
        return account
