"""How JSON values become specs and back; `config` knows, and the composition root passes it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct


class SpecReader(Struct, frozen=True):
    """Reads options of watchers and sockets. Raises `BadMessage`."""

    new: Callable[[str, Mapping[str, Any]], WatcherSpec]
    changed: Callable[[WatcherSpec, Mapping[str, Any]], WatcherSpec]
    as_json: Callable[[WatcherSpec], Mapping[str, Any]]
    socket: Callable[[str, Mapping[str, Any]], SocketSpec]


def _unread(*values: object) -> NoReturn:
    raise BadMessage("options can not be read here")


NO_READER = SpecReader(_unread, _unread, _unread, _unread)
