"""Calls to `Processes` whose answers are wanted at once, for tests of an owner in this process."""

from __future__ import annotations

from typing import Any

from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.system.protocols import (
    OnExit,
    Processes,
    Scope,
    SignalResult,
    SpawnResult,
)


def spawned(processes: Processes, plan: LaunchPlan, on_exit: OnExit, **stdio: Any) -> int:
    """Start a process that can be started; return its pid."""
    results: list[SpawnResult] = []
    processes.spawn(plan, Stdio(**stdio), results.append, on_exit)
    (result,) = results
    assert result.pid is not None, result.problem
    return result.pid


def signalled(
    processes: Processes, pid: int, signum: int, scope: Scope = Scope.PROCESS
) -> SignalResult:
    """Send a signal; return what became of it."""
    results: list[SignalResult] = []
    processes.signal(pid, signum, scope, results.append)
    (result,) = results
    return result
