"""What processes tell their watcher: on notify sockets, and in the lines of their output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.notices import read_notice
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.watcher.inputs import Input, Noticed, Ready
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.processes.notify_sockets import NotifySocket

_LONGEST_LINE = 16_384
"""Bytes of a line that are looked at."""


class Equipped(Struct):
    """A process that is about to start, with what it needs to be heard."""

    plan: LaunchPlan
    pid: int = 0


class WatcherNotices:
    """Hears the processes of one watcher, as far as its spec asks for that."""

    def __init__(
        self, world: World, post: Callable[[Input], None], spec: Callable[[], WatcherSpec]
    ) -> None:
        self._world = world
        self._post = post
        self._spec = spec
        self._sockets: dict[int, NotifySocket] = {}
        self._awaited: dict[int, dict[str, bytes]] = {}
        """By pid and channel, the beginning of a line of those that have yet to say the word."""

    def equip(self, plan: LaunchPlan) -> AbstractContextManager[Equipped]:
        """Give a process its notify socket; set the pid once it is there.

        Raises `SystemProblem` where there can be no such socket.
        """
        spec = self._spec()
        if spec.ready.sign is Sign.NOTIFY or spec.watchdog > 0:
            return self._equip_with_socket(spec, Equipped(plan))
        if spec.ready.sign is Sign.LOG:
            return self._listen_for_line(Equipped(plan))
        return nullcontext(Equipped(plan))

    @contextmanager
    def _listen_for_line(self, begun: Equipped) -> Iterator[Equipped]:
        yield begun
        if begun.pid:
            self._awaited[begun.pid] = {}

    @contextmanager
    def _equip_with_socket(self, spec: WatcherSpec, begun: Equipped) -> Iterator[Equipped]:
        notify = NotifySocket(
            self._world.loop, lambda message: self._post(Noticed(begun.pid, read_notice(message)))
        )
        extra = {"NOTIFY_SOCKET": notify.address}
        if spec.watchdog > 0:
            extra["WATCHDOG_USEC"] = str(int(spec.watchdog * 1e6))
        begun.plan = replace(begun.plan, env={**begun.plan.env, **extra})
        try:
            yield begun
        finally:
            if begun.pid:
                self._sockets[begun.pid] = notify
                notify.listen_to(begun.pid)
            else:
                notify.close()

    def process_ended(self, pid: int) -> None:
        """Be told that a process is gone."""
        notify = self._sockets.pop(pid, None)
        if notify is not None:
            notify.close()
        self._awaited.pop(pid, None)

    def on_output(self, pid: int, channel: str, data: bytes) -> None:
        """Look at output of a process, in whatever pieces it comes."""
        begun = self._awaited.get(pid)
        if begun is None:
            return
        ready = self._spec().ready
        lines = (begun.get(channel, b"") + data).split(b"\n")
        begun[channel] = lines.pop()[-_LONGEST_LINE:]
        texts = (line[-_LONGEST_LINE:].decode(errors="replace") for line in lines)
        if any(ready.is_met_by(text) for text in texts):
            del self._awaited[pid]
            self._post(Ready(pid))
