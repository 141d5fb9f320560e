"""A process and socket manager: the kernel, and the names that a library user needs.

Names are loaded when they are first used, so that a tool which needs one does not pay for all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvec_circus_core.control.blocking_client import CircusClient as CircusClient
    from cvec_circus_core.control.client import AsyncCircusClient as AsyncCircusClient
    from cvec_circus_core.control.stats_client import StatsClient as StatsClient
    from cvec_circus_core.embed.arbiter import Arbiter as Arbiter, get_arbiter as get_arbiter
    from cvec_circus_core.embed.process import (
        DEAD_OR_ZOMBIE as DEAD_OR_ZOMBIE,
        OTHER as OTHER,
        RUNNING as RUNNING,
        UNEXISTING as UNEXISTING,
        Process as Process,
        ProcessStatus as ProcessStatus,
    )
    from cvec_circus_core.embed.watcher import Watcher as Watcher
    from cvec_circus_core.extend.plugin import CircusPlugin as CircusPlugin
    from cvec_circus_core.model.curve_keys import CurveKeys as CurveKeys, KeyPair as KeyPair
    from cvec_circus_core.model.errors import (
        AlreadyExists as AlreadyExists,
        BadMessage as BadMessage,
        CallError as CallError,
        CircusError as CircusError,
        Conflict as Conflict,
    )
    from cvec_circus_core.system.net.sockets import (
        CircusSocket as CircusSocket,
        CircusSockets as CircusSockets,
    )

__version__ = "0.1.0"


class LazyNames:
    """The names that a module promises, and in which module of the kernel each of them is."""

    def __init__(self, module: str, names_by_module: Mapping[str, str]) -> None:
        self._module = module
        self._modules = {
            name: f"cvec_circus_core.{origin}".rstrip(".")
            for origin, names in names_by_module.items()
            for name in names.split()
        }

    def __dir__(self) -> list[str]:
        return sorted(self._modules)

    def load(self, name: str) -> Any:
        """Return what has a name, which the module has from now on. Raises AttributeError."""
        if name not in self._modules:
            raise AttributeError(f"module {self._module!r} has no attribute {name!r}")
        value = getattr(import_module(self._modules[name]), name)
        setattr(sys.modules[self._module], name, value)
        return value


_NAMES = LazyNames(
    __name__,
    {
        "control.blocking_client": "CircusClient",
        "control.client": "AsyncCircusClient",
        "control.stats_client": "StatsClient",
        "embed.arbiter": "Arbiter get_arbiter",
        "embed.process": "DEAD_OR_ZOMBIE OTHER Process ProcessStatus RUNNING UNEXISTING",
        "embed.watcher": "Watcher",
        "extend.plugin": "CircusPlugin",
        "model.curve_keys": "CurveKeys KeyPair",
        "model.errors": "AlreadyExists BadMessage CallError CircusError Conflict",
        "system.net.sockets": "CircusSocket CircusSockets",
    },
)
__all__ = sorted(["__version__", *dir(_NAMES)])
__getattr__ = _NAMES.load


def __dir__() -> list[str]:
    return __all__
