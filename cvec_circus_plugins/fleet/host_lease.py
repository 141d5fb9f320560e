"""The lease of one host: what it is good for, by the host's own clock.

A renewal counts from the moment at which it was *sent*: the store has begun to count later. So the
moment in the leash's file is always before the one at which the store lets the claims go, by the
margin that the settings name.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from cvec_circus_core.api import boot_seconds

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class HostLease:
    """The lease, kept in files: an agent that is started anew goes on with it."""

    def __init__(self, folder: Path, margin: float) -> None:
        self._margin = margin
        self._record = folder / "lease.json"
        self.deadline_file = folder / "deadline"
        self.id = 0
        """The lease in the store; 0 where there is none."""
        self.good_until = 0.0
        """Up to when the claims are ours for certain, in seconds of `boot_seconds`."""

    @property
    def is_good(self) -> bool:
        """Whether the claims are ours for certain."""
        return bool(self.id) and boot_seconds() < self.good_until

    @property
    def remaining(self) -> float:
        """For how many seconds more."""
        return self.good_until - boot_seconds()

    def load(self) -> None:
        """Go on with the lease of the agent before, if this is still the same boot."""
        try:
            record = json.loads(self._record.read_text(encoding="ascii"))
            if record["boot"] == _boot_id():
                self.id = int(record["lease"])
                self.good_until = float(record["good_until"])
        except (OSError, ValueError, KeyError, TypeError):
            return

    def renewed(self, lease: int, sent_at: float, seconds: float) -> None:
        """Take in that a request, sent at ``sent_at``, made the lease good for ``seconds``.

        Raises OSError, in which case it is good for no longer than before: leashes read the file.
        """
        good_until = sent_at + seconds - self._margin
        record = {"lease": lease, "good_until": good_until, "boot": _boot_id()}
        _replace(self._record, json.dumps(record))
        _replace(self.deadline_file, f"{good_until:.3f}")
        self.id, self.good_until = lease, good_until

    def lost(self) -> None:
        """Take in that the lease is not ours any more."""
        self.id = 0
        self.good_until = 0.0
        # One that can not be written ends the leashes at the moment that it has.
        with suppress(OSError):
            _replace(self.deadline_file, "0")
        with suppress(OSError):
            self._record.unlink()


def _replace(path: Path, text: str) -> None:
    # It happens at each renewal: unlike what `rewrite` writes, it does not wait for the disk.
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="ascii")
    beside.replace(path)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
