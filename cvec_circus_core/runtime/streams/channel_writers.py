"""The sink writers of one watcher: one for each channel that has a stream.

Where both channels have the same settings, they share one writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.streams.sink_writer import SinkWriter
from cvec_circus_core.runtime.streams.stream_settings import settings_of
from cvec_circus_core.runtime.world import World


class ChannelWriters:
    """Makes writers, opens them, puts others in their places, and closes them."""

    def __init__(self, world: World) -> None:
        self.by_channel: dict[str, SinkWriter] = {}
        self._world = world
        self._outputs = world.outputs

    def opened(self, channel: str, spec: WatcherSpec) -> SinkWriter:
        """Return the writer of a channel, open. Raises `CircusError`."""
        if channel not in self.by_channel:
            shared = _shared(self.by_channel, settings_of(spec, channel))
            self.by_channel[channel] = shared or self._new(channel, spec)
        self._open(self.by_channel[channel])
        return self.by_channel[channel]

    def change(self, channels: Iterable[str], spec: WatcherSpec) -> bool:
        """Put others in the places of those of some channels, as a spec says.

        Returns whether processes write, or have written, to one themselves. Raises `CircusError`
        where one can not be had, in which case nothing was changed. The old ones are not retired.
        """
        before = self.by_channel
        changed = tuple(channels)
        new = {channel: writer for channel, writer in before.items() if channel not in changed}
        is_direct = False
        try:
            for channel in changed:
                if channel in before and settings_of(spec, channel):
                    shared = _shared(new, settings_of(spec, channel))
                    new[channel] = shared or self._new(channel, spec)
                    if before[channel].is_open:
                        self._open(new[channel])
                        is_direct |= before[channel].is_direct or new[channel].is_direct
        except BaseException:
            self.retire(new.values())
            raise
        self.by_channel = new
        return is_direct

    def retire(self, writers: Iterable[SinkWriter]) -> None:
        """Close those of some that are not in use any more."""
        self._close(set(writers) - set(self.by_channel.values()))

    def close(self) -> None:
        """Close all that nobody writes to."""
        self._close(set(self.by_channel.values()))

    def reopen(self) -> None:
        """Open their files anew."""
        for writer in set(self.by_channel.values()):
            writer.reopen()

    def _new(self, channel: str, spec: WatcherSpec) -> SinkWriter:
        return SinkWriter(
            f"{channel}_stream of {spec.name}",
            settings_of(spec, channel),
            self._outputs.sinks,
            self._world.clock,
            self._world.loop,
            self._outputs.journal,
        )

    def _open(self, writer: SinkWriter) -> None:
        writer.open()
        self._outputs.writers.add(writer)

    def _close(self, writers: Iterable[SinkWriter]) -> None:
        for writer in writers:
            if writer.is_open and not writer.producers:
                writer.close(partial(self._outputs.closed, writer))


def _shared(writers: Mapping[str, SinkWriter], settings: Mapping[str, Any]) -> SinkWriter | None:
    return next((writer for writer in writers.values() if writer.settings == settings), None)
