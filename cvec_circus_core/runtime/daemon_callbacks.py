"""What the program around the arbiter does for it: configuration, plugins, its own options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.runtime.daemon_host import DaemonHost
from cvec_circus_core.runtime.saved_config import SavedConfig

Configure = Callable[[], Configuration]
"""Reads the configuration again. Raises `ConfigError` with all its mistakes."""
ReadConfig = Callable[[], Awaitable[Configuration]]
"""Does the same while the loop goes on."""


def _nothing_to_read() -> Configuration:
    raise ConfigError("there is no configuration file to read again")


async def _read_nothing() -> Configuration:
    return _nothing_to_read()


def _take_no_notice(*values: object) -> None:
    pass


class DaemonCallbacks(Struct, frozen=True):
    """What is done by the program around the arbiter."""

    configure: Configure = _nothing_to_read
    read_config: ReadConfig = _read_nothing
    apply_options: Callable[[ArbiterSpec, tuple[str, ...]], None] = _take_no_notice
    """Lives by the daemon's own options, of which these differ. Raises `ConfigError`."""
    host: Callable[[tuple[PluginSpec, ...]], None] = _take_no_notice
    """Runs exactly these plugins in threads of the daemon."""
    access_changed: Callable[[], None] = _take_no_notice
    """Is called when the lists of those who may call may have changed."""
    applied: Callable[[], None] = _take_no_notice
    """Is called once the configuration that was read last is in force, as far as it could be."""
    saved: SavedConfig = field(default_factory=SavedConfig)
    daemon_host: DaemonHost = field(default_factory=DaemonHost)
    """The processes that the daemon is made of."""


NO_DAEMON = DaemonCallbacks()
