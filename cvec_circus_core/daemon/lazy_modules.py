"""Modules of the standard library that come along unasked, loaded when somebody uses them.

asyncio brings TLS, `importlib.metadata` brings zip files, temporary folders and mail, stevedore
brings hashes: two megabytes that stay, and a sixth of the imports' time, in a daemon that uses none
of them. Importing this module, before those, leaves a placeholder for each. The first use of any
name of it loads the module itself, as if it had been imported there: plugins notice nothing.

Nor is there garbage to be looked for among what is made while modules are loaded, which takes a
sixth of that time: `all_loaded` says that it is over.

`importlib.util.LazyLoader` is no way: the second import of a module that it makes asks for its
``__spec__``, which loads it, and each of these is imported more than once (figures in docs/design).

For programs only, whose process is theirs; the library does not touch what others import.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from threading import Lock
from types import ModuleType
from typing import Any

SELDOM_USED = (
    *("ssl", "asyncio.sslproto"),
    *("zipfile", "csv", "tempfile", "shutil"),
    *("hashlib", "tokenize", "difflib", "locale", "msgspec.inspect"),
    "importlib.metadata._adapters",
)

_lock = Lock()


class _Placeholder(ModuleType):
    def __getattr__(self, name: str) -> Any:
        own = self.__name__
        with _lock:
            if sys.modules.get(own) is self:
                del sys.modules[own]
        # Anyone who comes meanwhile waits at the import's own lock.
        return getattr(import_module(own), name)


def _postpone(name: str) -> None:
    if name not in sys.modules:
        placeholder = _Placeholder(name)
        placeholder.__spec__ = ModuleSpec(name, None)
        sys.modules[name] = placeholder


def all_loaded() -> None:
    """Look for garbage from now on, among what is made from now on."""
    gc.freeze()
    gc.enable()


gc.disable()
for _name in SELDOM_USED:
    _postpone(_name)
# The standard library as one zip file, which is seldom there: `importlib.metadata` would open it.
sys.path[:] = [entry for entry in sys.path if not entry.endswith(".zip") or os.path.exists(entry)]
