"""The streams of one watcher: a sink writer per configured channel, a pipe per process and channel.

Writers (`channel_writers.py`) are opened when the first process is about to start, and closed when
the watcher has stopped and the last pipe is empty; a restart or reload in between does not close
them. `set` puts a new writer in the place of the old one: processes keep their pipes, what they
write from then on goes to the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cvec_circus_core.model.errors import BadMessage, SystemProblem
from cvec_circus_core.model.launch import Channel, LaunchPlan
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import OutputLine, OutputQuery, OutputView
from cvec_circus_core.policy.watcher.inputs import Found
from cvec_circus_core.runtime.streams.channel_writers import ChannelWriters
from cvec_circus_core.runtime.streams.kept_pipe import KeptPipe
from cvec_circus_core.runtime.streams.kept_pipes import KeptPipes, can_keep
from cvec_circus_core.runtime.streams.outputs import as_json, topic_of
from cvec_circus_core.runtime.streams.pipe_reader import OutputSource, PipeReader, put_left
from cvec_circus_core.runtime.streams.process_pipes import STDOUT, ProcessPipes
from cvec_circus_core.runtime.streams.recent_output import RecentOutput, WatcherRecentOutput
from cvec_circus_core.runtime.streams.stream_settings import (
    CHANNELS,
    changed_channels,
    check_streams,
    refusal,
    settings_of,
)
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system import output_journal as areas
from cvec_circus_core.system.processes.pipes import pipes

CLOSE_DELAY = 0.5
"""Seconds between the end of the last process and the end of the sinks: a restart is no end."""

LINGER = 2.0
"""Seconds that the pipe of a process may be kept open by others after its end."""


OutputListener = Callable[[int, str, bytes], None]
"""Hears the output of processes: pid, channel, and a piece of it."""


def _ignore(pid: int, channel: str, data: bytes) -> None:
    return


_LAST_LINES = 20
"""Of a process that has ended."""


class WatcherStreams:
    """What becomes of the output of one watcher's processes."""

    def __init__(
        self, world: World, spec: Callable[[], WatcherSpec], listener: OutputListener = _ignore
    ) -> None:
        self._world = world
        self._listener = listener
        self._outputs = world.outputs
        self._spec = spec
        self._writers = ChannelWriters(world)
        self._readers: dict[int, list[PipeReader]] = {}
        self._recent = WatcherRecentOutput()
        self._is_closing = False
        self._cancel_close: Callable[[], None] = _nothing

    @property
    def name(self) -> str:
        """The watcher's name."""
        return self._spec().name

    def open_pipes(self, wid: int, plan: LaunchPlan) -> ProcessPipes:
        """Prepare the pipes of a process. Raises `CircusError` where a stream can not be opened."""
        spec = self._spec()
        process_pipes = ProcessPipes(
            partial(self._begin, spec.name, wid), partial(self._begin_kept, wid), plan.uid
        )
        self._cancel_close()
        self._is_closing = False
        separate = (STDOUT,) if spec.redirect_stderr else CHANNELS
        inherited = [channel for channel in separate if _is_inherited(plan, channel)]
        if not inherited and not spec.redirect_stderr:
            return process_pipes
        try:
            self._fill(process_pipes, inherited, wid, plan)
        except BaseException:
            process_pipes.close()
            raise
        return process_pipes

    def _fill(
        self, process_pipes: ProcessPipes, inherited: Sequence[str], wid: int, plan: LaunchPlan
    ) -> None:
        spec = self._spec()
        kept = []
        for channel in inherited:
            if settings_of(spec, channel):
                self._open_stream(process_pipes, channel, wid)
            else:
                kept.append(channel)
        if kept and spec.keep_output and can_keep():
            process_pipes.keep(kept)
        if spec.redirect_stderr and plan.stderr is Channel.INHERIT:
            process_pipes.join_stderr(plan)
        if spec.ready.sign is Sign.LOG and not process_pipes.is_read:
            raise SystemProblem("ready = log: needs a stream that passes the daemon")

    def _open_stream(self, process_pipes: ProcessPipes, channel: str, wid: int) -> None:
        writer = self._writers.opened(channel, self._spec())
        if writer.is_direct:
            process_pipes.redirect(channel, writer.descriptor(wid))
        else:
            process_pipes.open(channel)

    def read(self, fd: int, source: OutputSource) -> None:
        """Read the pipe of a new process to its end."""
        recent = self._recent.begin(source.wid, source.pid, source.channel)
        reader = PipeReader(
            fd,
            source,
            self._writers.by_channel[source.channel],
            self._world,
            partial(self._on_output, recent, topic_of(source.watcher, source.pid, source.channel)),
            partial(self._on_pipe_end, recent),
        )
        self._readers.setdefault(source.pid, []).append(reader)
        self._outputs.readers.add(reader)

    def _begin(self, watcher: str, wid: int, pid: int, channel: str, fd: int) -> None:
        self.read(fd, OutputSource(watcher, wid, pid, channel))

    def _begin_kept(self, wid: int, pid: int, channel: str, fd: int) -> None:
        self._kept_pipes(channel).add(fd, KeptPipe(self, wid, pid, channel))

    def _kept_pipes(self, channel: str) -> KeptPipes:
        world = self._world
        return self._outputs.kept_pipes(channel, world.clock, world.loop, world.turns)

    def take_over(self, found: Found, descriptors: Mapping[str, int]) -> None:
        """Read on in the pipes of a process that an earlier daemon has started."""
        spec = self._spec()
        for channel in CHANNELS:
            if channel not in descriptors:
                continue
            fd = pipes.adopt(descriptors[channel], blocks=not settings_of(spec, channel))
            if settings_of(spec, channel):
                self._writers.opened(channel, spec)
                self._begin(spec.name, found.wid, found.pid, channel, fd)
            else:
                self._begin_kept(found.wid, found.pid, channel, fd)

    def put_left(self) -> None:
        """Deliver what an earlier daemon has read of processes that have ended since."""
        journal = self._outputs.journal
        prefix = f"{name_key(self.name)}\0".encode(errors="surrogateescape")
        for key in () if journal is None else journal.left_of(areas.PIPE, prefix):
            _, wid, pid, channel = key.decode(errors="surrogateescape").split("\0")
            source = OutputSource(self.name, int(wid), int(pid), channel)
            if settings_of(self._spec(), channel):
                writer = self._writers.opened(channel, self._spec())
                put_left(source, writer, self._world)
            else:
                pipe = KeptPipe(self, source.wid, source.pid, channel)
                self._kept_pipes(channel).put_left(pipe)

    def on_kept_output(self, pipe: KeptPipe, data: bytes) -> None:
        """Remember a piece of the output of a process without a stream."""
        recent = pipe.recent
        if recent is None:
            recent = pipe.recent = self._recent.begin(pipe.wid, pipe.pid, pipe.channel)
        self._on_output(recent, topic_of(self.name, pipe.pid, pipe.channel), data)

    def on_kept_end(self, pipe: KeptPipe) -> None:
        """Be told that a process without a stream writes nothing more."""
        self._world.store.release(pipe.pid, pipe.channel)
        if pipe.recent is not None:
            self._recent.end(pipe.recent)

    def process_ended(self, pid: int, grace: float) -> None:
        """Be told that a process is gone; what it left behind may still write for ``grace``."""
        for reader in tuple(self._readers.get(pid, ())):
            reader.process_ended(grace + LINGER)

    def last_output(self, pid: int) -> bytes:
        """Return the last lines of a process that has ended, those in its pipes included."""
        self._catch_up(pid)
        return self._recent.last_of(pid, _LAST_LINES)

    def _catch_up(self, pid: int) -> None:
        # Standard error last: it tells why.
        for channel in CHANNELS:
            for reader in tuple(self._readers.get(pid, ())):
                if reader.source.channel == channel:
                    reader.catch_up()
            if channel in self._outputs.kept:
                self._outputs.kept[channel].catch_up(pid)

    def change(self, spec: WatcherSpec) -> bool:
        """Lead the output where another spec says; return whether that takes new processes.

        Raises `CircusError` where a stream can not be had, in which case nothing was changed.
        """
        old = self._spec()
        changed = changed_channels(old, spec)
        if not changed:
            return False
        check_streams(self._outputs.sinks, spec)
        # Processes of a channel without a stream have no pipe, and need one; and the reverse.
        needs_new = any(
            bool(settings_of(old, channel)) != bool(settings_of(spec, channel))
            for channel in changed
        )
        before = self._writers.by_channel
        becomes_direct = self._writers.change(changed, spec)
        for readers in self._readers.values():
            for reader in readers:
                # A channel without a new writer keeps the old one until its process is replaced.
                writer = self._writers.by_channel.get(reader.source.channel, reader.writer)
                if writer is not reader.writer:
                    reader.move(writer)
        self._writers.retire(before.values())
        return needs_new or becomes_direct

    def close_later(self) -> None:
        """Close the sinks once all that was written has come, unless a process starts before."""

        def close() -> None:
            self._is_closing = True
            self._close_if_done()

        self._cancel_close()
        self._cancel_close = self._world.clock.wait(CLOSE_DELAY, close)

    def reopen(self) -> None:
        """Open the files of the streams anew."""
        self._writers.reopen()

    def recent(self, channel: str, lines: int, wid: int | None = None) -> list[OutputView]:
        """Return the last lines of each process, or of those of one slot. Raises `BadMessage`."""
        if (problem := self._refusal(channel)) is not None:
            raise problem
        return self._recent.views(channel, lines, wid)

    def recent_lines(self, query: OutputQuery) -> list[OutputLine]:
        """Return the last lines of all processes, in the order in which they came.

        Where those of one process are asked for, what is still in its pipes is read first.
        Raises `BadMessage` where no output of the channels that are asked for passes the daemon.
        """
        refusals = [self._refusal(channel) for channel in query.channels]
        if refusals and all(refusals):
            raise next(filter(None, refusals))
        if query.pid is not None:
            self._catch_up(query.pid)
        return self._recent.lines(query)

    def _refusal(self, channel: str) -> BadMessage | None:
        writer = self._writers.by_channel.get(channel)
        file = writer.settings.get("filename") if writer is not None and writer.is_direct else None
        return None if writer is not None and file is None else refusal(self._spec(), channel, file)

    def _on_output(self, recent: RecentOutput, topic: str, data: bytes) -> None:
        start = recent.end
        now = self._world.clock.wall()
        self._recent.note(recent, data, self._spec().keep_output, now)
        self._listener(recent.pid, recent.channel, data)
        subscribers = self._outputs.subscribers
        if subscribers.wants_output(topic):
            body = {
                "watcher": self.name,
                "wid": recent.wid,
                "pid": recent.pid,
                "name": recent.channel,
                "start": start,
                "time": now,
                **as_json(data),
            }
            subscribers.publish_output(topic, body)

    def _on_pipe_end(self, recent: RecentOutput, reader: PipeReader) -> None:
        self._world.store.release(recent.pid, recent.channel)
        self._recent.end(recent)
        self._outputs.readers.discard(reader)
        readers = self._readers[reader.source.pid]
        readers.remove(reader)
        if not readers:
            del self._readers[reader.source.pid]
        self._writers.retire([reader.writer])
        self._close_if_done()

    def _close_if_done(self) -> None:
        if not self._is_closing or self._readers:
            return
        self._writers.close()


def _nothing() -> None:
    """Cancel nothing."""


def _is_inherited(plan: LaunchPlan, channel: str) -> bool:
    return (plan.stdout if channel == STDOUT else plan.stderr) is Channel.INHERIT
