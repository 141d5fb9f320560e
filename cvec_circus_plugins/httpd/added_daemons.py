"""The daemons that people have connected the console to, beside those of its settings.

They stand in a file of the console's folder, so that they are there again when it begins anew, and
every process of a console sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from cvec_circus_core.api import BadMessage
from cvec_circus_plugins.httpd.private_table import PrivateTable
from cvec_circus_plugins.httpd.settings import DaemonAddress

FILE = "daemons.json"
TRANSPORTS = ("tcp://", "ipc://")
_AT_MOST = 100


class AddedDaemons:
    """The daemons of one console's folder. Methods raise `BadKeys`."""

    def __init__(self, folder: Path) -> None:
        self._table = PrivateTable(folder / FILE)

    def addresses(self) -> Iterable[DaemonAddress]:
        """Return where they are."""
        return [DaemonAddress(**row) for row in self._table.rows().values()]

    def endpoints(self) -> frozenset[str]:
        """Return their control endpoints."""
        return frozenset(self._table.rows())

    def add(self, address: DaemonAddress) -> None:
        """Add one, or replace how it is reached. Raises `BadMessage`."""
        for endpoint in (address.endpoint, address.pubsub_endpoint):
            _check_endpoint(endpoint)
        if len(self._table.rows()) >= _AT_MOST:
            raise BadMessage(f"a console knows {_AT_MOST} daemons at most")
        row = {key: value for key, value in asdict(address).items() if value}
        self._table.change(lambda rows: {**rows, address.endpoint: row})

    def remove(self, endpoint: str) -> None:
        """Forget one."""
        self._table.remove(endpoint)


def _check_endpoint(endpoint: str | None) -> None:
    if endpoint is None:
        return
    if not endpoint.startswith(TRANSPORTS) or not endpoint.isprintable() or " " in endpoint:
        raise BadMessage(
            f"{endpoint!r} is no endpoint such as tcp://127.0.0.1:5555 or ipc:///run/circus.sock"
        )
    if endpoint.startswith("tcp://"):
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
            raise BadMessage(f"{endpoint!r} needs a host and a port from 1 to 65535")
