"""A `LaunchPlan` becomes a real process.

`subprocess.Popen` does it with its own parameters: they let it use vfork, which makes a spawn about
five times as cheap as one that runs Python between fork and exec. Such a ``preexec_fn`` is used
only where there is no other way: for resource limits, fewer rights (`privileges.py`), descriptors
in a row (`listen_fds.py`), and where the caller's own signal set-up would leak into the child
(`signals_to_reset`).

What can be known to be wrong is said before the fork; what only the kernel knows is explained after
it (`spawn_errors.py`). Either way the caller gets one `CannotSpawn` with one sentence.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.launch import Channel, LaunchPlan
from cvec_circus_core.model.shortages import is_shortage
from cvec_circus_core.system.accounts import (
    Identity,
    UnknownAccount,
    account_variables,
    identity,
    user_name,
)
from cvec_circus_core.system.processes.cgroups import Leaf
from cvec_circus_core.system.processes.child_setup import ChildSetup, Limits
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.launch_files import NO_FILES, LaunchFiles
from cvec_circus_core.system.processes.listen_fds import ListenFds
from cvec_circus_core.system.processes.posix_spawn import QuickChild, is_simple, quick_start
from cvec_circus_core.system.processes.privileges import plan_privileges
from cvec_circus_core.system.processes.spawn_errors import explain
from cvec_circus_core.system.processes.spawn_tags import TagCarriers

Child = subprocess.Popen[bytes] | QuickChild
_AS_IT_IS = nullcontext()

_RESTORED_BY_POPEN = frozenset({signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)})
_SETTABLE = tuple(
    sig
    for sig in sorted(signal.valid_signals())
    if sig not in _RESTORED_BY_POPEN and sig not in (signal.SIGKILL, signal.SIGSTOP)
)


class Launcher:
    """Starts processes.

    ``sealed`` says that nothing of this process leaks through exec: every descriptor ends there by
    itself (`seal_descriptors`), so that closing them one by one in the child can be left out, and
    no signal is ignored (`DaemonSignals`), so that asking for each of them before every spawn can
    be left out, which is a fifth of its cost. An embedding application can not promise that; the
    daemon can.
    """

    def __init__(self, *, sealed: bool = False) -> None:
        self.sealed = sealed

    def launch(
        self,
        plan: LaunchPlan,
        files: LaunchFiles = NO_FILES,
        leaf: Leaf | None = None,
        tag: int | None = None,
    ) -> Child:
        """Start a process in a session of its own, in a group, with a spawn tag.

        Raises `CannotSpawn`.
        """
        if self.sealed and leaf is None and is_simple(plan) and not files.listening:
            quick = self._start_quickly(plan, files, tag)
            if quick is not None:
                return quick
        return self._start_with_care(plan, files, leaf, tag)

    def _start_quickly(
        self, plan: LaunchPlan, files: LaunchFiles, tag: int | None
    ) -> QuickChild | None:
        """Start a process whose plan asks for nothing special; None where that does not work."""
        if nofile.is_raised and not nofile.is_low_number_free():
            return None
        lowered = nofile.original_in_force() if nofile.is_raised else _AS_IT_IS
        inheritable = _inheritable(files.numbered) if files.numbered else _AS_IT_IS
        try:
            with lowered, TagCarriers(tag), inheritable:
                return quick_start(plan, files)
        except OSError:
            return None  # Starting with care finds out why.

    def _start_with_care(
        self, plan: LaunchPlan, files: LaunchFiles, leaf: Leaf | None, tag: int | None
    ) -> Child:
        if not plan.argv or not (plan.executable or plan.argv[0]):
            raise CannotSpawn("the command is empty")
        who = _identity(plan)
        limits = _limits(plan)
        rights = plan_privileges(plan, who)
        _check_open(plan, files)
        plan = _with_account(plan, who)
        try:
            with nullcontext() if leaf is None else _entrance(leaf) as entrance:
                ignored = () if self.sealed else signals_to_reset()
                in_child: ChildSetup | None = None
                if limits or ignored or entrance is not None or rights or files.listening:
                    row = files.listening
                    last = ListenFds(plan, row, self.sealed) if row else None
                    in_child = ChildSetup(who, limits, ignored, entrance, rights, last)
                lowers_limit = in_child is None and nofile.is_raised
                if lowers_limit and not nofile.is_low_number_free():
                    in_child, lowers_limit = ChildSetup(who), False
                lowered = nofile.original_in_force() if lowers_limit else nullcontext()
                with lowered, TagCarriers(tag):
                    _give_pipes(files, who)
                    return self._start_slowly(plan, files, who, in_child)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise CannotSpawn(explain(plan, who, error), is_shortage(error)) from error

    def _start_slowly(
        self,
        plan: LaunchPlan,
        files: LaunchFiles,
        who: Identity | None,
        in_child: ChildSetup | None,
    ) -> Child:
        settings: dict[str, Any] = {}
        if in_child is None and signal.pthread_sigmask(signal.SIG_BLOCK, ()):
            in_child = ChildSetup(who)
        if in_child is not None:
            settings["preexec_fn"] = in_child
        elif who is not None:
            settings |= {"user": who.uid, "group": who.gid, "extra_groups": who.groups}
        if self.sealed:
            settings["close_fds"] = False
        else:
            settings["pass_fds"] = files.numbered
        with _inheritable(files.numbered) if self.sealed else _AS_IT_IS:
            return subprocess.Popen(
                plan.argv,
                executable=plan.executable,
                cwd=plan.working_dir,
                env=plan.env,
                umask=-1 if plan.umask is None else plan.umask,
                stdin=_stream(plan.stdin, files.stdin),
                stdout=_stream(plan.stdout, files.stdout),
                stderr=_stream(plan.stderr, files.stderr),
                start_new_session=True,
                **settings,
            )


@contextmanager
def _entrance(leaf: Leaf) -> Iterator[int]:
    entrance = leaf.entrance()
    try:
        yield entrance
    finally:
        os.close(entrance)


def signals_to_reset() -> tuple[int, ...]:
    """Return what this process ignores: exec would hand that on (a handler it would not)."""
    return tuple(sig for sig in _SETTABLE if signal.getsignal(sig) == signal.SIG_IGN)


def _identity(plan: LaunchPlan) -> Identity | None:
    try:
        who = identity(plan.uid, plan.gid)
    except UnknownAccount as error:
        raise CannotSpawn(str(error)) from None
    if who is None or os.geteuid() == 0:
        return who
    if who.uid == os.geteuid() and who.gid == os.getegid():
        return None
    raise CannotSpawn(
        f"only root may start a process as user {user_name(who.uid)!r} "
        f"(this is {user_name(os.geteuid())!r})"
    )


def _limits(plan: LaunchPlan) -> Limits:
    return tuple(_limit(name, value) for name, value in plan.rlimits.items())


def _limit(name: str, value: int | None) -> tuple[int, tuple[int, int]]:
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if number is None:
        raise CannotSpawn(f"there is no resource limit named {name!r}")
    soft = resource.RLIM_INFINITY if value is None or value < 0 else value
    _, hard = resource.getrlimit(number)
    is_above = hard != resource.RLIM_INFINITY and not 0 <= soft <= hard
    if is_above and os.geteuid() != 0:
        limit = "unlimited" if soft == resource.RLIM_INFINITY else soft
        raise CannotSpawn(f"the resource limit {name}={limit} is above the hard limit of {hard}")
    return number, (soft, soft)


def _with_account(plan: LaunchPlan, who: Identity | None) -> LaunchPlan:
    """Return the plan with the variables of the account that the process runs as."""
    if not plan.account_env:
        return plan
    variables = account_variables(os.geteuid() if who is None else who.uid)
    env = {name: text for name, text in variables.items() if name in plan.account_env}
    return plan._replace(env={**plan.env, **env})


def _give_pipes(files: LaunchFiles, who: Identity | None) -> None:
    """Let a process with another user open its own /dev/stdout, where that is a pipe of ours."""
    if who is None or who.uid == os.geteuid():
        return
    for fd in (files.stdout, files.stderr):
        if fd is not None and stat.S_ISFIFO(os.fstat(fd).st_mode) and _is_nameless(fd):
            os.fchown(fd, who.uid, -1)


def _is_nameless(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")
    except OSError:
        return False


def _check_open(plan: LaunchPlan, files: LaunchFiles) -> None:
    for fd in files.all():
        try:
            os.fstat(fd)
        except OSError:
            raise CannotSpawn(
                f"can not start {plan.argv[0]!r}: descriptor {fd} is not open"
            ) from None


def _stream(planned: Channel, fd: int | None) -> int | None:
    if fd is not None:
        return fd
    return None if planned is Channel.INHERIT else subprocess.DEVNULL


@contextmanager
def _inheritable(descriptors: tuple[int, ...]) -> Iterator[None]:
    """Let descriptors pass exec for a moment.

    Nobody else forks meanwhile without closing them: spawns happen in one thread, and subprocess
    closes by itself.
    """
    for fd in descriptors:
        os.set_inheritable(fd, True)
    try:
        yield
    finally:
        for fd in descriptors:
            os.set_inheritable(fd, False)
