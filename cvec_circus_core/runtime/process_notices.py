"""What processes tell their watcher: on notify sockets, and in the lines of their output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.notices import read_notice
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.watcher.inputs import Found, Input, Noticed, Ready
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.processes.notify_sockets import NotifySocket

NOTIFY = "notify"
"""Name of the notify socket among the descriptors that are kept of a process."""

_LONGEST_LINE = 16_384
"""Bytes of a line that are looked at."""
_MOST_MICROSECONDS = 2.0**62


class Equipment:
    """What a process that is about to start needs to be heard.

    Say `started` once it is there; `close` is for both cases.
    """

    def __init__(self, plan: LaunchPlan) -> None:
        self.plan = plan
        self.pid = 0
        self.descriptors: dict[str, int] = {}
        """What a later daemon would need to go on hearing the process, by name."""

    def started(self, pid: int) -> None:
        """Listen to the process from now on."""
        self.pid = pid

    def close(self) -> None:
        """Give up what was prepared, unless the process is there."""


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
        self._plan_without: LaunchPlan | None = None
        self._plan_with = LaunchPlan(argv=(), env={})
        """The same, with the address of the shared notify socket."""

    def equip(self, plan: LaunchPlan) -> Equipment:
        """Prepare to hear a process. Raises `SystemProblem` where there can be no notify socket."""
        spec = self._spec()
        if spec.ready.sign is Sign.NOTIFY or spec.watchdog > 0:
            return NotifyEquipment(plan, spec.watchdog, self)
        if spec.ready.sign is Sign.LOG:
            return LogEquipment(plan, self)
        if spec.ready.sign is Sign.AUTO and "NOTIFY_SOCKET" not in plan.env:
            return SharedEquipment(self._with_shared_socket(plan), self)
        return Equipment(plan)

    def _with_shared_socket(self, plan: LaunchPlan) -> LaunchPlan:
        # Made once, not for each process: it copies the whole environment.
        if plan is not self._plan_without:
            address = self._world.notify.address(self._world.loop)
            self._plan_without = self._plan_with = plan
            if address:
                self._plan_with = plan._replace(env={**plan.env, "NOTIFY_SOCKET": address})
        return self._plan_with

    def open_socket(self, on_message: Callable[[bytes], None]) -> NotifySocket:
        """Open a notify socket. Raises `SystemProblem`."""
        return NotifySocket(self._world.loop, on_message, self._world.line_quota)

    def take_over(self, found: Found, descriptors: Mapping[str, int]) -> None:
        """Go on hearing a process that an earlier daemon has started."""
        if NOTIFY in descriptors:
            hear = partial(self.on_message, found.pid)
            loop, quota = self._world.loop, self._world.line_quota
            self.listen_to(found.pid, NotifySocket.adopt(descriptors[NOTIFY], loop, hear, quota))
        elif self._spec().ready.sign is Sign.LOG and not found.ready:
            self.await_line(found.pid)
        elif self._spec().ready.sign is Sign.AUTO:
            self._world.notify.address(self._world.loop)
            self.listen_to_shared(found.pid)

    def on_message(self, pid: int, message: bytes) -> None:
        """Take what a process has said on its socket."""
        self._post(Noticed(pid, read_notice(message)))

    def listen_to(self, pid: int, socket: NotifySocket) -> None:
        """Hear a process on its socket from now on."""
        self._sockets[pid] = socket
        socket.listen_to(pid)

    def listen_to_shared(self, pid: int) -> None:
        """Hear a process on the socket that all share."""
        self._world.notify.listen_to(pid, partial(self.on_message, pid))

    def await_line(self, pid: int) -> None:
        """Look for the line by which a process says that it is ready."""
        self._awaited[pid] = {}

    def process_ended(self, pid: int) -> None:
        """Be told that a process is gone."""
        notify = self._sockets.pop(pid, None)
        if notify is not None:
            notify.close()
            self._world.store.release(pid, NOTIFY)
        self._awaited.pop(pid, None)
        self._world.notify.forget(pid)

    def on_output(self, pid: int, channel: str, data: bytes) -> None:
        """Look at output of a process, in whatever pieces it comes."""
        beginnings = self._awaited.get(pid)
        if beginnings is None:
            return
        ready = self._spec().ready
        lines = (beginnings.get(channel, b"") + data).split(b"\n")
        beginnings[channel] = lines.pop()[-_LONGEST_LINE:]
        texts = (line[-_LONGEST_LINE:].decode(errors="replace") for line in lines)
        if any(ready.is_met_by(text) for text in texts):
            del self._awaited[pid]
            self._post(Ready(pid))


class LogEquipment(Equipment):
    """For a process that is ready once a line of its output says so."""

    def __init__(self, plan: LaunchPlan, notices: WatcherNotices) -> None:
        super().__init__(plan)
        self._notices = notices

    def started(self, pid: int) -> None:
        """Look at its lines from now on."""
        super().started(pid)
        self._notices.await_line(pid)


class SharedEquipment(Equipment):
    """For a process that may say how it is, and does not have to."""

    def __init__(self, plan: LaunchPlan, notices: WatcherNotices) -> None:
        super().__init__(plan)
        self._notices = notices

    def started(self, pid: int) -> None:
        """Hear it from now on."""
        super().started(pid)
        self._notices.listen_to_shared(pid)


class NotifyEquipment(Equipment):
    """For a process that has a notify socket."""

    def __init__(self, plan: LaunchPlan, watchdog: float, notices: WatcherNotices) -> None:
        self._notices = notices
        self._socket = notices.open_socket(self._on_message)
        variables = {"NOTIFY_SOCKET": self._socket.address}
        if watchdog > 0:
            variables["WATCHDOG_USEC"] = str(int(min(watchdog * 1e6, _MOST_MICROSECONDS)))
        super().__init__(plan._replace(env={**plan.env, **variables}))
        self.descriptors[NOTIFY] = self._socket.fileno()

    def started(self, pid: int) -> None:
        """Hear it from now on."""
        super().started(pid)
        self._notices.listen_to(pid, self._socket)

    def close(self) -> None:
        """Close the socket, unless the process is there."""
        if not self.pid:
            self._socket.close()

    def _on_message(self, message: bytes) -> None:
        self._notices.on_message(self.pid, message)
