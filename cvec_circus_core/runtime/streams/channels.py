"""The streams of one watcher: an outlet per configured channel, a pipe per process and channel.

Outlets are opened when the first process is about to start, and closed when the watcher has stopped
and the last pipe is empty; a restart or reload in between does not close them. `set` puts a new
outlet in the place of the old one: processes keep their pipes, what they write from then on goes to
the new one. Where both channels have the same settings, they share one outlet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from cvec_circus_core.model.errors import BadMessage, SystemProblem
from cvec_circus_core.model.launch import Channel, LaunchPlan
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import OutputView
from cvec_circus_core.runtime.streams.outlet import Outlet
from cvec_circus_core.runtime.streams.pipe import PipeReader, Source
from cvec_circus_core.runtime.streams.process_pipes import STDERR, STDOUT, Fitting
from cvec_circus_core.runtime.streams.recent import Recent, RecentOfWatcher
from cvec_circus_core.runtime.streams.shared import Outputs, as_json, topic_of
from cvec_circus_core.runtime.world import World

CHANNELS = (STDOUT, STDERR)

REST = 0.5
"""Seconds between the end of the last process and the end of the sinks: a restart is no end."""

LINGER = 2.0
"""Seconds that the pipe of a process may be kept open by others after its end."""


Listener = Callable[[int, str, bytes], None]
"""Hears the output of processes: pid, channel, and a piece of it."""


def _nobody(pid: int, channel: str, data: bytes) -> None:
    return


def settings_of(spec: WatcherSpec, channel: str) -> Mapping[str, Any]:
    """Return the settings of one channel, empty where none is configured."""
    found: Mapping[str, Any] = getattr(spec, f"{channel}_stream")
    return found


def check_streams(outputs: Outputs, spec: WatcherSpec) -> None:
    """Make sure that the streams of a spec can be made. Raises `BadMessage` with all faults."""
    faults = [
        f"'{channel}_stream.{fault.key}' {fault.sentence}"
        for channel in CHANNELS
        for fault in outputs.sinks.faults(settings_of(spec, channel))
    ]
    if faults:
        raise BadMessage("; ".join(faults))


class WatcherStreams:
    """What becomes of the output of one watcher's processes."""

    def __init__(
        self, world: World, spec: Callable[[], WatcherSpec], listener: Listener = _nobody
    ) -> None:
        self._world = world
        self._listener = listener
        self._outputs = world.outputs
        self._spec = spec
        self._outlets: dict[str, Outlet] = {}
        self._readers: dict[int, list[PipeReader]] = {}
        self._recent = RecentOfWatcher(world.outputs.memory)
        self._is_resting = False
        self._wake: Callable[[], None] = _nothing

    @property
    def name(self) -> str:
        """The watcher's name."""
        return self._spec().name

    def fit(self, wid: int, plan: LaunchPlan) -> Fitting:
        """Prepare the pipes of a process. Raises `CircusError` where a stream can not be opened."""
        spec = self._spec()
        fitting = Fitting(plan, partial(self._begin, spec.name, wid))
        self._wake()
        self._is_resting = False
        wanted = [one for one in CHANNELS if settings_of(spec, one) and _leads_here(plan, one)]
        if not wanted:
            return fitting
        with ExitStack() as undo:
            undo.callback(fitting.__exit__)
            for channel in wanted:
                outlet = self._outlet(channel, spec)
                self._open(outlet)
                if outlet.is_direct:
                    fitting.lead(channel, outlet.descriptor(wid))
                else:
                    fitting.lay(channel)
            if spec.ready.sign is Sign.LOG and not fitting.is_read:
                raise SystemProblem("ready = log: needs a stream that passes the daemon")
            undo.pop_all()
        return fitting

    def read(self, fd: int, source: Source) -> None:
        """Read the pipe of a new process to its end."""
        recent = self._recent.begin(source.wid, source.pid, source.channel)
        reader = PipeReader(
            fd,
            source,
            self._outlets[source.channel],
            self._world,
            partial(self._heard, recent, topic_of(source.watcher, source.pid, source.channel)),
            partial(self._ended, recent),
        )
        self._readers.setdefault(source.pid, []).append(reader)
        self._outputs.readers.add(reader)

    def _begin(self, watcher: str, wid: int, pid: int, channel: str, fd: int) -> None:
        self.read(fd, Source(watcher, wid, pid, channel))

    def process_ended(self, pid: int, grace: float) -> None:
        """Be told that a process is gone; what it left behind may still write for ``grace``."""
        for reader in tuple(self._readers.get(pid, ())):
            reader.process_ended(grace + LINGER)

    def change(self, spec: WatcherSpec) -> bool:
        """Lead the output where another spec says; return whether that takes new processes.

        Raises `CircusError` where a stream can not be had, in which case nothing was changed.
        """
        old = self._spec()
        changed = [one for one in CHANNELS if settings_of(old, one) != settings_of(spec, one)]
        if not changed:
            return False
        check_streams(self._outputs, spec)
        # Processes of a channel without a stream have no pipe, and need one; and the reverse.
        needs_new = any(
            bool(settings_of(old, one)) != bool(settings_of(spec, one)) for one in changed
        )
        before = dict(self._outlets)
        new = {one: before[one] for one in CHANNELS if one not in changed and one in before}
        try:
            for channel in changed:
                if channel in before and settings_of(spec, channel):
                    new[channel] = _shared(new, settings_of(spec, channel)) or self._made(
                        channel, spec
                    )
                    if before[channel].is_open:
                        self._open(new[channel])
                        needs_new |= before[channel].is_direct or new[channel].is_direct
        except BaseException:
            self._retire(set(new.values()) - set(before.values()))
            raise
        self._swap(new)
        return needs_new

    def rest(self) -> None:
        """Close the sinks once all that was written has come, unless a process starts before."""

        def rest() -> None:
            self._is_resting = True
            self._close_if_done()

        self._wake()
        self._wake = self._world.clock.wait(REST, rest)

    def reopen(self) -> None:
        """Open the files of the streams anew."""
        for outlet in set(self._outlets.values()):
            outlet.reopen()

    def recent(self, channel: str, lines: int, wid: int | None = None) -> list[OutputView]:
        """Return the last lines of each process, or of those of one slot. Raises `BadMessage`."""
        if not settings_of(self._spec(), channel) and channel not in self._outlets:
            raise BadMessage(
                f"'{self.name}' has no {channel}_stream: its output does not pass the daemon"
            )
        outlet = self._outlets.get(channel)
        if outlet is not None and outlet.is_direct:
            file = outlet.settings.get("filename")
            raise BadMessage(
                f"'{self.name}' writes its {channel} to {file} itself: it does not pass the daemon"
            )
        return self._recent.views(channel, lines, wid)

    def _outlet(self, channel: str, spec: WatcherSpec) -> Outlet:
        if channel not in self._outlets:
            shared = _shared(self._outlets, settings_of(spec, channel))
            self._outlets[channel] = shared or self._made(channel, spec)
        return self._outlets[channel]

    def _made(self, channel: str, spec: WatcherSpec) -> Outlet:
        return Outlet(
            f"{channel}_stream of {spec.name}",
            settings_of(spec, channel),
            self._outputs.sinks,
            self._world.clock,
            self._world.loop,
        )

    def _open(self, outlet: Outlet) -> None:
        outlet.open()
        self._outputs.outlets.add(outlet)

    def _swap(self, new: dict[str, Outlet]) -> None:
        before, self._outlets = self._outlets, new
        for readers in self._readers.values():
            for reader in readers:
                # One that has nowhere else to go stays where it is until its process is replaced.
                outlet = new.get(reader.source.channel, reader.outlet)
                if outlet is not reader.outlet:
                    reader.move(outlet)
        self._retire(set(before.values()) - set(new.values()))

    def _retire(self, outlets: set[Outlet]) -> None:
        for outlet in outlets:
            if outlet.is_open and not outlet.readers:
                outlet.close(partial(self._outputs.closed, outlet))

    def _heard(self, recent: Recent, topic: str, data: bytes) -> None:
        start = recent.end
        self._recent.note(recent, data)
        self._listener(recent.pid, recent.channel, data)
        audience = self._outputs.audience
        if audience.wants_output(topic):
            body = {
                "watcher": self.name,
                "wid": recent.wid,
                "pid": recent.pid,
                "name": recent.channel,
                "start": start,
                "time": self._world.clock.wall(),
                **as_json(data),
            }
            audience.publish_output(topic, body)

    def _ended(self, recent: Recent, reader: PipeReader) -> None:
        self._recent.end(recent)
        self._outputs.readers.discard(reader)
        readers = self._readers[reader.source.pid]
        readers.remove(reader)
        if not readers:
            del self._readers[reader.source.pid]
        if reader.outlet not in self._outlets.values():
            self._retire({reader.outlet})
        self._close_if_done()

    def _close_if_done(self) -> None:
        if not self._is_resting or self._readers:
            return
        self._retire(set(self._outlets.values()))


def _nothing() -> None:
    """Cancel nothing."""


def _leads_here(plan: LaunchPlan, channel: str) -> bool:
    return (plan.stdout if channel == STDOUT else plan.stderr) is Channel.INHERIT


def _shared(outlets: Mapping[str, Outlet], settings: Mapping[str, Any]) -> Outlet | None:
    return next((outlet for outlet in outlets.values() if outlet.settings == settings), None)
