"""The files of endpoints are made again where they were taken away, as when /tmp is swept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.system.net.endpoint_files import path_of
from cvec_circus_core.system.net.lost_files import LostFiles

log = logging.getLogger(__name__)


class EndpointOnFile(Protocol):
    """What serves an endpoint."""

    @property
    def endpoint(self) -> str:
        """Where."""

    def mend(self) -> bool:
        """Make the file of the endpoint again if it is gone, and tell so. Raises `CannotBind`."""


class EndpointRepair:
    """Looks after the files of some endpoints until it is closed; belongs to the loop.

    ``served`` tells which they are now; where that changes, `watch` has to be called.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, served: Callable[[], Iterable[EndpointOnFile]]
    ) -> None:
        self._served = served
        self._told: dict[str, str] = {}
        self._files = LostFiles(loop, self._paths, self.mend)
        self.watch = self._files.watch

    def mend(self) -> bool:
        """Make again what is gone, and tell whether anything was."""
        mended = [self._mend(served) for served in tuple(self._served())]
        return any(mended)

    def close(self) -> None:
        """Look after nothing any more."""
        self._files.close()

    def _mend(self, served: EndpointOnFile) -> bool:
        endpoint = served.endpoint
        try:
            is_mended = served.mend()
        except CannotBind as error:
            if self._told.get(endpoint) != str(error):
                self._told[endpoint] = str(error)
                log.error("%s", error)
            return False
        self._told.pop(endpoint, None)
        if is_mended:
            log.warning("%s was taken away; it is made again", endpoint)
        return is_mended

    def _paths(self) -> list[str]:
        paths = [path_of(served.endpoint) for served in self._served()]
        return [path for path in paths if path is not None]
