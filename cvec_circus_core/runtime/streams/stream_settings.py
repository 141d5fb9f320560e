"""What a spec says of the streams of a watcher, and what can not be as it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.streams.process_pipes import STDERR, STDOUT

CHANNELS = (STDOUT, STDERR)


def settings_of(spec: WatcherSpec, channel: str) -> Mapping[str, Any]:
    """Return the settings of one channel, empty where none is configured."""
    settings: Mapping[str, Any] = getattr(spec, f"{channel}_stream")
    return settings


def check_streams(sinks: Sinks, spec: WatcherSpec) -> None:
    """Make sure that the streams of a spec can be made. Raises `BadMessage` with all faults."""
    faults = [
        f"'{channel}_stream.{fault.key}' {fault.sentence}"
        for channel in CHANNELS
        for fault in sinks.faults(settings_of(spec, channel))
    ]
    if faults:
        raise BadMessage("; ".join(faults))


def changed_channels(old: WatcherSpec, new: WatcherSpec) -> list[str]:
    """Return the channels whose settings differ between two specs."""
    return [
        channel for channel in CHANNELS if settings_of(old, channel) != settings_of(new, channel)
    ]


def refusal(spec: WatcherSpec, channel: str, direct_file: object | None) -> BadMessage | None:
    """Return why the output of a channel can not be looked at; None where it can.

    ``direct_file`` is the file that processes write to themselves, if they do.
    """
    if direct_file is not None:
        return BadMessage(
            f"'{spec.name}' writes its {channel} to {direct_file} itself: "
            "it does not pass the daemon"
        )
    if not spec.keep_output and not settings_of(spec, channel):
        return BadMessage(
            f"'{spec.name}' has no {channel}_stream, and keep_output = 0: "
            "its output does not pass the daemon"
        )
    return None
