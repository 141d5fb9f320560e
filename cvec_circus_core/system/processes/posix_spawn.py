"""The quick way to start a process: posix_spawn, for plans that ask for nothing special.

`subprocess.Popen` spends about as long in Python as the kernel does in fork and exec. posix_spawn
knows no folder, user, umask or limits, and lets every inheritable descriptor pass, so it is used
only for plans without those and by a sealed launcher. What it can not do, or what fails, goes the
long way, which also explains failures.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from cvec_circus_core.model.launch import Channel, LaunchPlan
from cvec_circus_core.system.processes.launch_files import NO_FILES, LaunchFiles

_DEFAULT = (signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE))
"""Python ignores these, and exec would hand that on."""

_FIRST_FREE = 3


class QuickChild:
    """A child that was started the quick way; its waiter sets ``returncode``."""

    __slots__ = ("pid", "returncode")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def kill(self) -> None:
        """Send SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end."""
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def quick_start(plan: LaunchPlan, files: LaunchFiles = NO_FILES) -> QuickChild | None:
    """Start a process whose plan is simple; None where that does not work."""
    program = _program(plan)
    actions = _actions(plan, files)
    if program is None or actions is None:
        return None
    try:
        pid = os.posix_spawn(
            program,
            plan.argv,
            plan.env,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULT,
        )
    except (OSError, ValueError, NotImplementedError):
        return None
    return QuickChild(pid)


def is_simple(plan: LaunchPlan) -> bool:
    """Tell whether a plan asks for nothing that posix_spawn can not do."""
    has_options = (
        plan.rlimits
        or plan.no_new_privs
        or plan.account_env
        or plan.capabilities is not None
        or plan.oom_score_adj is not None
        or plan.death_signal is not None
        or plan.working_dir is not None
        or plan.umask is not None
        or plan.uid is not None
        or plan.gid is not None
    )
    return not has_options


def _program(plan: LaunchPlan) -> str | None:
    """Return the file to run, looked up in the PATH that the child gets."""
    program = plan.executable or (plan.argv[0] if plan.argv else "")
    if "/" in program:
        return program
    for folder in plan.env.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder or '.'}/{program}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def _actions(plan: LaunchPlan, files: LaunchFiles) -> list[tuple[Any, ...]] | None:
    actions: list[tuple[Any, ...]] = []
    planned = (plan.stdin, plan.stdout, plan.stderr)
    for number, fd in enumerate((files.stdin, files.stdout, files.stderr)):
        if fd is not None:
            if fd < _FIRST_FREE:
                return None
            actions.append((os.POSIX_SPAWN_DUP2, fd, number))
        elif planned[number] is Channel.NULL:
            how = os.O_RDONLY if number == 0 else os.O_WRONLY
            actions.append((os.POSIX_SPAWN_OPEN, number, os.devnull, how, 0))
    return actions
