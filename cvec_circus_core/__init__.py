"""A process and socket manager: the kernel, and the names that a library user needs.

Names are loaded when they are first used, so that a tool which needs one does not pay for all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvec_circus_core.control.blocking_client import CircusClient
    from cvec_circus_core.control.client import AsyncCircusClient
    from cvec_circus_core.control.stats_client import StatsClient
    from cvec_circus_core.embed.arbiter import Arbiter, get_arbiter
    from cvec_circus_core.embed.process import (
        DEAD_OR_ZOMBIE,
        OTHER,
        RUNNING,
        UNEXISTING,
        Process,
        ProcessStatus,
    )
    from cvec_circus_core.embed.watcher import Watcher
    from cvec_circus_core.extend.plugin import CircusPlugin
    from cvec_circus_core.model.curve_keys import CurveKeys, KeyPair
    from cvec_circus_core.model.errors import (
        AlreadyExists,
        BadMessage,
        CallError,
        CircusError,
        Conflict,
    )
    from cvec_circus_core.system.net.sockets import CircusSocket, CircusSockets

__version__ = "0.1.0"

__all__ = [
    "DEAD_OR_ZOMBIE",
    "OTHER",
    "RUNNING",
    "UNEXISTING",
    "AlreadyExists",
    "Arbiter",
    "AsyncCircusClient",
    "BadMessage",
    "CallError",
    "CircusClient",
    "CircusError",
    "CircusPlugin",
    "CircusSocket",
    "CircusSockets",
    "Conflict",
    "CurveKeys",
    "KeyPair",
    "Process",
    "ProcessStatus",
    "StatsClient",
    "Watcher",
    "__version__",
    "get_arbiter",
]

_NAMES_BY_MODULE = {
    "cvec_circus_core.embed.arbiter": "Arbiter get_arbiter",
    "cvec_circus_core.embed.process": (
        "DEAD_OR_ZOMBIE OTHER Process ProcessStatus RUNNING UNEXISTING"
    ),
    "cvec_circus_core.embed.watcher": "Watcher",
    "cvec_circus_core.control.blocking_client": "CircusClient",
    "cvec_circus_core.control.stats_client": "StatsClient",
    "cvec_circus_core.control.client": "AsyncCircusClient",
    "cvec_circus_core.extend.plugin": "CircusPlugin",
    "cvec_circus_core.model.errors": "AlreadyExists BadMessage CallError CircusError Conflict",
    "cvec_circus_core.model.curve_keys": "CurveKeys KeyPair",
    "cvec_circus_core.system.net.sockets": "CircusSocket CircusSockets",
}
_MODULES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
