"""Where the state file of a daemon is, and what a start does with those whom it names.

It lies beside the pid file; without one, in a runtime folder of this user's, named by the endpoint.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.daemon.adoption import Adoption
from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.option_kinds import ADOPT, IGNORE
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.system.processes.left_processes import Farewell, LeftProcesses
from cvec_circus_core.system.processes.state_file import (
    DAEMON_TITLE,
    Recorded,
    Records,
    StateFile,
    living_in,
)
from cvec_circus_core.system.state_store import Inventory

log = logging.getLogger(__name__)

_OF_THE_SYSTEM = "/run"
_ODD = re.compile(r"[^\w.-]+")
_LONGEST = 60
"""Letters of an endpoint in the name of a file."""
_MOST = 20
"""Processes that are named."""


def take_state_file(
    loaded: Loaded, config: str, environ: Mapping[str, str], begin_log: Callable[[], None]
) -> tuple[StateFile | None, Inventory]:
    """Return the daemon's state file, and those whom it names that are to be taken over.

    Others are stopped, or ignored. No file where a daemon has it, and where there can be none,
    which is logged. ``begin_log`` is called before anything is said.
    """
    try:
        state = StateFile.acquire(_path(loaded.arbiter, config, environ))
    except (OSError, SystemProblem) as error:
        begin_log()
        log.warning("what a SIGKILL of this daemon leaves would not be stopped: %s", error)
        return None, Inventory()
    if state is None:
        return None, Inventory()
    records = state.read()
    inventory = Inventory()
    if loaded.arbiter.on_daemon_death == ADOPT and any(living_in(records)):
        begin_log()
        inventory = _adopt(records, loaded)
    left = LeftProcesses(records)
    if loaded.arbiter.on_daemon_death != IGNORE and (rows := left.look()):
        begin_log()
        _stop(left, len(rows), loaded.watchers)
    if inventory.processes:
        return StateFile.resumed(state.path, state.descriptor), inventory
    state.begin()
    return state, inventory


def _adopt(records: Records, loaded: Loaded) -> Inventory:
    """Have all that can be taken over, and leave the others in the record."""
    adoption = Adoption(loaded)
    workers = (each for each in living_in(records) if each.title != DAEMON_TITLE)
    inventory = adoption.take(list(workers))
    for pid, process in adoption.adopted.items():
        del records.processes[pid]
        records.spared.add(process.tag)
    for pid, reason in adoption.refused.items():
        log.warning("process %d, left behind, is not taken over: %s", pid, reason)
    if adoption.adopted:
        log.warning(
            "taking over %d processes that a daemon left behind when it was killed: %s",
            *(len(adoption.adopted), _named(adoption.adopted)),
        )
    return inventory


def _stop(left: LeftProcesses, count: int, watchers: Iterable[WatcherSpec]) -> None:
    specs = {name_key(watcher.name): watcher for watcher in watchers}
    log.warning(
        "stopping %d processes that a daemon left behind when it was killed: %s",
        *(count, _named(left.roots) or "descendants of those that have ended"),
    )
    try:
        for row in left.stop(lambda root: _farewell(root, specs)):
            log.error("process %d, left behind, does not go", row.pid)
    except KeyboardInterrupt:
        raise SystemProblem("interrupted; the next start stops what is left") from None


def _named(processes: Mapping[int, Recorded]) -> str:
    names = [f"{pid} ({_owner(process)})" for pid, process in processes.items()]
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _owner(root: Recorded) -> str:
    return f"watcher {root.watcher}" if root.watcher else "a daemon without its keeper"


def _farewell(process: Recorded, specs: Mapping[str, WatcherSpec]) -> Farewell:
    watcher = specs.get(process.watcher)
    return Farewell(watcher.stop_signal, watcher.graceful_timeout) if watcher else Farewell()


def _path(spec: ArbiterSpec, config: str, environ: Mapping[str, str]) -> str:
    if spec.pidfile:
        return f"{os.path.abspath(spec.pidfile)}.state"
    # An endpoint whose port the system chooses is no name.
    mark = spec.endpoint if not spec.endpoint.endswith((":0", ":*")) else os.path.realpath(config)
    name = _ODD.sub("-", spec.endpoint.partition("://")[2]).strip("-")[-_LONGEST:]
    return os.path.join(_folder(environ), f"{name}-{hashlib.sha256(mark.encode()).hexdigest()[:8]}")


def _folder(environ: Mapping[str, str]) -> str:
    """Return a folder of ours, made where it is not there. Raises OSError, `SystemProblem`."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() == 0 and os.access(_OF_THE_SYSTEM, os.W_OK):
        folder = os.path.join(_OF_THE_SYSTEM, "circus")
    elif os.path.isabs(runtime) and os.access(runtime, os.W_OK):
        folder = os.path.join(runtime, "circus")
    else:
        folder = os.path.join(tempfile.gettempdir(), f"circus-{os.geteuid()}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    found = os.stat(folder, follow_symlinks=False)
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not is_ours or found.st_mode & 0o022:
        raise SystemProblem(f"{folder} is not a folder that only we may write")
    return folder
