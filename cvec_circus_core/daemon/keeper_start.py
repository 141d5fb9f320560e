"""circusd becomes the keeper: the same process, another program, which starts the daemon anew."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cvec_circus_core.system.daemonize import WaitingCaller
from cvec_circus_core.system.keeper_client.handover import holdings_of, pack
from cvec_circus_core.system.keeper_client.successor import PROGRAM
from cvec_circus_core.system.pidfile import PidFile
from cvec_circus_core.system.processes.state_file import StateFile
from cvec_circus_core.system.state_store import Inventory


def become_keeper(
    again: Sequence[str],
    caller: WaitingCaller,
    pidfile: PidFile | None,
    state: StateFile | None,
    inventory: Inventory,
) -> NoReturn:
    """Run the keeper in this process; ``again`` is the command that starts the daemon.

    What is in the inventory is the keeper's from the beginning.
    """
    state_file, state_fd = (None, None) if state is None else state.hand_on()
    order = {
        "brain": list(again),
        "pidfile": None if pidfile is None else str(pidfile.path),
        "pidfile_fd": None if pidfile is None else pidfile.hand_on(),
        "caller_fd": caller.hand_on(),
        "state_file": state_file,
        "state_fd": state_fd,
        "handover_fd": pack(holdings_of(inventory), inventory.sockets, {})
        if inventory.processes
        else None,
    }
    sys.stdout.flush()
    sys.stderr.flush()
    words = [sys.executable, *PROGRAM, json.dumps(order)]
    os.execv(sys.executable, words)  # noqa: S606 - no shell is wanted
