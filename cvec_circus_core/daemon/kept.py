"""The daemon as a child of its keeper: what there is of an earlier one is taken over.

The configuration is the one that was in force: the file may have become another, or a bad one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.daemon.config_source import Flags, read
from cvec_circus_core.daemon.logs import END_LIMIT, wait_written
from cvec_circus_core.daemon.main import FAILED, serve
from cvec_circus_core.daemon.place import Place
from cvec_circus_core.model import plain_form
from cvec_circus_core.model.errors import BadMessage, CircusError, Conflict, SystemProblem
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.runtime.takeover_notes import read_note
from cvec_circus_core.system.keeper_client.handover import FORM
from cvec_circus_core.system.keeper_client.keeper_link import KeeperLink
from cvec_circus_core.system.keeper_client.kept_sockets import kept_owner
from cvec_circus_core.system.keeper_client.successor import SHARES
from cvec_circus_core.system.processes.program_output import program_output
from cvec_circus_core.system.state_store import Inventory

_LOADED = "loaded"
_LOAD = (
    "import cvec_circus_core.daemon.kept, cvec_circus_cli.circusd, cvec_circus_core\n"
    "from cvec_circus_core.keeper import __main__ as keeper\n"
    "print(cvec_circus_core.__version__)\n"
    "print(getattr(keeper, 'UNDERSTANDS', ''))\n"
)
_LOAD_LIMIT, _LONGEST_WATCH = 60.0, 3600.0
_REPLY_TIME = 0.2
"""Seconds for the reply to a request that ends this process."""


def end_lost() -> NoReturn:
    """End because the keeper is gone; there is nothing left that could be taken down."""
    wait_written(END_LIMIT)
    os._exit(FAILED)


class KeptPlace(Place):
    """The keeper's process around the daemon."""

    is_kept = True

    def __init__(self, link: KeeperLink, inventory: Inventory) -> None:
        super().__init__(kept_owner(link, inventory, end_lost))
        self.is_first = _LOADED not in inventory.notes
        self._link = link
        self._is_ending = False
        """Whether another daemon is about to take our place."""

    def facts(self) -> Mapping[str, object]:
        """Return what the daemon and its keeper are and run, and how often it was started."""
        keeper = self._link.facts
        told = {name: keeper.get(name) for name in ("starts", "last_end", "ends", "upgrade")}
        of_keeper = {name: keeper.get(name) for name in ("pid", "version", "python", "since")}
        return {**super().facts(), **told, "keeper": of_keeper}

    async def upgrade(self, venv: str | None, watch: float, limit: float) -> Mapping[str, object]:
        """Have another daemon started, once its code was loaded in a process of its own."""
        last = self._link.facts.get("upgrade")
        state: Mapping[str, Any] = last if isinstance(last, dict) else {}
        python = _python_of(venv, watch, limit)
        if self._is_ending or state.get("outcome") == "under way":
            raise Conflict("an upgrade is under way already")
        self._is_ending = True
        try:
            output = await asyncio.to_thread(
                program_output, (python, "-P", "-c", _LOAD), _LOAD_LIMIT
            )
        except SystemProblem as error:
            self._is_ending = False
            raise BadMessage(f"nothing was changed, for {error}") from None
        version, form = output.split("\n")[:2]
        if self._link.facts.get(SHARES) and form == str(FORM):
            self._link.tell("exchange", python)
        # The caller gets the reply before this process ends.
        asyncio.get_running_loop().call_later(
            _REPLY_TIME, self._link.tell, "upgrade", python, watch, limit
        )
        return {"number": state.get("number", 0) + 1, "version": version}

    def ready(self) -> None:
        """Have everybody told who waits."""
        self._link.tell("answers")
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
        self._link.note(_LOADED, plain_form.dump(replace(loaded, arbiter=options)))


def _python_of(venv: str | None, watch: float, limit: float) -> str:
    if not (0 <= watch <= _LONGEST_WATCH and 0 < limit <= _LONGEST_WATCH):
        raise BadMessage(f"watch and limit must be seconds up to {_LONGEST_WATCH:g}, limit above 0")
    if venv is None:
        return sys.executable
    python = os.path.join(venv, "bin", "python")
    if not os.path.isabs(venv) or not os.access(python, os.X_OK):
        raise BadMessage(
            f"to must be the whole path of a virtual environment: there is no {python}"
        )
    return python


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
