"""The daemon as a child of its keeper: what there is of an earlier one is taken over.

The configuration is the one that was in force: the file may have become another, or a bad one.
"""

from __future__ import annotations

import os
from typing import NoReturn

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.daemon.logs import END_LIMIT, wait_written
from cvec_circus_core.daemon.main import FAILED, Flags, Place, read, serve
from cvec_circus_core.model import plain_form
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.runtime.takeover_notes import read_note
from cvec_circus_core.system.keeper_client.keeper_link import KeeperLink
from cvec_circus_core.system.keeper_client.kept_sockets import kept_owner
from cvec_circus_core.system.state_store import Inventory

_LOADED = "loaded"


def end_lost() -> NoReturn:
    """End because the keeper is gone; there is nothing left that could be taken down."""
    wait_written(END_LIMIT)
    os._exit(FAILED)


class KeptPlace(Place):
    """The keeper's process around the daemon."""

    is_kept = True

    def __init__(self, link: KeeperLink, inventory: Inventory) -> None:
        super().__init__(kept_owner(link, inventory, end_lost))
        self._link = link

    def ready(self) -> None:
        """Have everybody told who waits."""
        self._link.tell("ready")

    def failed(self, message: str) -> None:
        """Have the caller in the foreground told."""
        self._link.tell("failed", message)

    def stopping(self) -> None:
        """Have the service manager told."""
        self._link.tell("stopping")

    def in_force(self, loaded: Loaded, options: ArbiterSpec) -> None:
        """Have the configuration kept that is in force, with the daemon's present options."""
        self._link.tell("patience", options.keeper_patience)
        self._link.tell("note", _LOADED, plain_form.dump(replace(loaded, arbiter=options)))


def run_kept(flags: Flags) -> int:
    """Run the daemon for the keeper that has started us; return the exit code.

    Raises `CircusError` where that is not possible.
    """
    link = KeeperLink.of_stdin()
    try:
        inventory = link.inventory()
        content = inventory.notes.get(_LOADED)
        loaded: Loaded = (
            read(flags, os.environ) if content is None else read_note(content, Loaded, _LOADED)
        )
        code = serve(flags, loaded, KeptPlace(link, inventory))
    except CircusError as error:
        link.tell("failed", f"circusd: {error}")
        raise
    link.tell("over")
    return code
