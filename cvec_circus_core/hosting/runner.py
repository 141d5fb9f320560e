"""A plugin in a process of its own: what circus-plugin runs.

The daemon's orders come by the environment (`hosting/placement.py`), everybody else's by words
and files.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from cvec_circus_core.config.load import accepted, load
from cvec_circus_core.daemon.logs import END_LIMIT, set_up, wait_written
from cvec_circus_core.extend.plugin import CircusPlugin, attach
from cvec_circus_core.extend.registry import load_formats
from cvec_circus_core.hosting.classes import PluginFacts, find_class, make
from cvec_circus_core.hosting.link import PluginLink
from cvec_circus_core.model.errors import CircusError, ConfigError
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.processes.daemon_death import end_with_daemon

log = logging.getLogger("circus.plugins")

OK = 0
FAILED = 1
_PLAIN = "[%(levelname)s] %(message)s"
_USUAL = ArbiterSpec()


class _Where(Struct, frozen=True, kw_only=True):
    endpoint: str = _USUAL.endpoint
    pubsub_endpoint: str = _USUAL.pubsub_endpoint
    check_delay: float = _USUAL.check_delay
    ssh_server: str | None = None
    keys: str | None = None
    """Folder of keys for a daemon of another machine."""
    loglevel: str = _USUAL.loglevel
    logoutput: str = "-"
    daemon_pid: int = 0
    daemon_id: str = ""
    is_watched: bool = False
    """Whether the daemon has given the order, in whose log the plugin writes."""


class Order(_Where, frozen=True):
    """Which plugin to run, and how."""

    use: str
    options: Mapping[str, Any] = field(default_factory=dict)


def of_the_daemon(use: str, environ: MutableMapping[str, str]) -> Order | None:
    """Return the order that a daemon has put into the environment, and take it out of there."""
    text = environ.pop(PLUGIN_SETTINGS, None)
    if text is None:
        return None
    settings = json.loads(text)
    del settings["name"]
    return Order(use, is_watched=True, **settings)


def order_from_file(file: str, name: str, environ: Mapping[str, str]) -> Order:
    """Return what a daemon's configuration says of ``[plugin:NAME]``.

    Raises `BadConfig`, and `ConfigError` where there is no such section.
    """
    loaded = accepted(load(file, load_formats(), environ), skip_bad=True)
    for plugin in loaded.plugins:
        if plugin.name.lower() == name.lower():
            return Order(
                plugin.use,
                plugin.options,
                endpoint=loaded.arbiter.endpoint,
                pubsub_endpoint=loaded.arbiter.pubsub_endpoint,
                check_delay=loaded.arbiter.check_delay,
            )
    raise ConfigError(f"{file} has no [plugin:{name}]")


def run(order: Order) -> int:
    """Run a plugin until it is told to stop, and return the exit code of the process.

    Raises `CircusError` with one sentence where it can not start.
    """
    with prepared(order) as has_daemon:
        return _run(order) if has_daemon else FAILED


@contextmanager
def prepared(order: Order) -> Iterator[bool]:
    """Log, and end with the daemon that has given the order; False where that is gone already.

    What was logged is written when this is left.
    """
    try:
        yield _prepare(order)
    finally:
        wait_written(END_LIMIT)


def _prepare(order: Order) -> bool:
    set_up(ArbiterSpec(loglevel=order.loglevel, logoutput=order.logoutput))
    if order.logoutput == "-" and not order.is_watched:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(logging.Formatter(_PLAIN))
    if order.daemon_pid and not end_with_daemon(order.daemon_pid, _tell_of_the_end):
        log.error("plugin %s is not run: its daemon is gone", order.use)
        return False
    return True


def _run(order: Order) -> int:
    log.info("Loading the plugin...")
    log.info("Endpoint: %r", order.endpoint)
    log.info("Pub/sub: %r", order.pubsub_endpoint)
    facts = PluginFacts(order.endpoint, order.pubsub_endpoint, order.check_delay, order.ssh_server)
    try:
        plugin = make(find_class(order.use), facts, order.options)
        if isinstance(plugin, CircusPlugin):
            link = PluginLink(
                order.endpoint,
                order.pubsub_endpoint,
                order.ssh_server,
                keys=order.keys,
                daemon_id=order.daemon_id,
            )
            attach(plugin, link)
        log.info("Starting")
        plugin.start()
    except CircusError as error:
        if order.is_watched:
            log.error("plugin %s can not run: %s", order.use, error)
            return FAILED
        raise
    except Exception:
        log.exception("plugin %s has failed", order.use)
        return FAILED
    log.info("Stopping")
    return OK


def _tell_of_the_end() -> None:
    log.warning("the daemon is gone, and the plugin ends with it")
