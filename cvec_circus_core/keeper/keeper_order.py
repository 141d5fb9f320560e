"""What a keeper is told to begin with: its brain, and the files that were locked before."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields

from cvec_circus_core.system.pidfile import PidFile
from cvec_circus_core.system.processes.state_file import StateFile


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperOrder:
    """What the keeper is started with."""

    brain: tuple[str, ...]
    pidfile: str | None = None
    pidfile_fd: int | None = None
    caller_fd: int | None = None
    state_file: str | None = None
    state_fd: int | None = None
    manager: tuple[str | None, float] | None = None
    """The service manager, where that is not told by the environment."""
    handover_fd: int | None = None
    """What another keeper had."""
    python: str = sys.executable
    """The interpreter with this code, as we were started by it."""
    python_before: str | None = None
    """The interpreter with the code of the keeper before, where that was this process itself."""

    @classmethod
    def read(cls, text: str) -> KeeperOrder:
        """Return the order that a text gives; what another version adds is ignored."""
        names = {each.name for each in fields(cls)}
        words = {name: word for name, word in json.loads(text).items() if name in names}
        return cls(**{**words, "brain": tuple(words["brain"])})


@dataclass(frozen=True, slots=True)
class HeldFiles:
    """The files that a keeper has locked."""

    pid: PidFile | None
    state: StateFile | None

    @classmethod
    def of(cls, order: KeeperOrder) -> HeldFiles:
        """Have what an order hands over."""
        pid = state = None
        if order.pidfile is not None and order.pidfile_fd is not None:
            pid = PidFile.inherited(order.pidfile, order.pidfile_fd)
            pid.renew()
        if order.state_file is not None and order.state_fd is not None:
            make = StateFile if order.handover_fd is None else StateFile.resumed
            state = make(order.state_file, order.state_fd)
        return cls(pid, state)

    def shared(self) -> tuple[dict[str, object], dict[str, int]]:
        """Return what a keeper after us has to know of them, and the files."""
        paths: dict[str, object] = {}
        numbers: dict[str, int] = {}
        if self.pid is not None and self.pid.descriptor is not None:
            paths["pidfile"], numbers["pidfile_fd"] = str(self.pid.path), self.pid.descriptor
        if self.state is not None:
            paths["state_file"], numbers["state_fd"] = self.state.path, self.state.descriptor
        return paths, numbers

    def release(self) -> None:
        """Take them away."""
        if self.state is not None:
            self.state.release()
        if self.pid is not None:
            self.pid.release()
