"""`get_arbiter`: an arbiter for a command, or for described watchers (spec: library, §2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import zmq

from cvec_circus_core.embed.arbiter import ENDPOINT, PUBSUB_ENDPOINT, Arbiter
from cvec_circus_core.embed.watcher import Watcher
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.options import declared_options
from cvec_circus_core.model.specs import ArbiterSpec


def get_arbiter(
    watchers: str | Mapping[str, Any] | Iterable[Mapping[str, Any]],
    controller: str | int | None = None,
    pubsub_endpoint: str | None = None,
    stats_endpoint: str | None = None,
    env: Mapping[str, str] | None = None,
    name: str | None = None,
    context: zmq.Context[Any] | None = None,
    background: bool = False,
    stream_backend: str = "thread",
    plugins: Sequence[Mapping[str, Any]] | None = None,
    **options: Any,
) -> Arbiter:
    """Make an arbiter: for a command, or for a list of mappings with ``cmd`` and other options.

        get_arbiter("myprogram", 4)
        get_arbiter("myprogram", numprocesses=3)
        get_arbiter([{"cmd": "myprogram", "numprocesses": 4}, {"cmd": "other"}])

    With a command, the options of a watcher are keywords and a number in second place is
    ``numprocesses``; ``endpoint`` is another name of ``controller``. Raises `BadMessage`,
    `AlreadyExists`.
    """
    if isinstance(watchers, str):
        watcher_options, options = _split(options)
        given = {"cmd": watchers, "env": env, "name": name}
        watcher_options |= {key: value for key, value in given.items() if value is not None}
        if isinstance(controller, int):
            watcher_options["numprocesses"], controller = controller, None
        watchers = [watcher_options]
    if isinstance(controller, int):
        raise BadMessage("a number of processes goes with a command, not with a list of watchers")
    described = [watchers] if isinstance(watchers, Mapping) else watchers
    return Arbiter(
        [Watcher.load_from_config(watcher_options) for watcher_options in described],
        controller or options.pop("endpoint", None) or ENDPOINT,
        pubsub_endpoint or PUBSUB_ENDPOINT,
        context=context,
        stats_endpoint=stats_endpoint,
        plugins=plugins,
        background=background,
        **options,
    )


def _split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell the options of a watcher from those of the arbiter, which come second."""
    ours = {"prereload_fn", "loop", *declared_options(ArbiterSpec)} - _OF_THE_WATCHER
    arbiter = {key: value for key, value in options.items() if key in ours}
    return {key: value for key, value in options.items() if key not in ours}, arbiter


_OF_THE_WATCHER = {"warmup_delay", "umask"}
"""Options of both: with a command, those of its watcher are meant."""
