"""The operator's hooks of one watcher: when they are asked or told, and what their answer means.

What the machine asks (`policy/watcher/hook_questions.py`) is answered through the inbox. The
others are called around what happens here: signals, reaping, the end, and questions for statistics.
Only an explicit False is a no; an exception, or no answer in time, counts as one unless the hook
says that failures are to be ignored, or its answer does not count anyway. What is only told comes
one after another, in the order in which it happened.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus_core.model import events
from cvec_circus_core.model.hook_specs import HookSpec, name_of_hook
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.watcher.effects import AskHook
from cvec_circus_core.policy.watcher.inputs import HookAnswered, Input
from cvec_circus_core.runtime.hook_calls import HookModules, HookProblem, HookThreads
from cvec_circus_core.runtime.hook_views import HookArbiter, HookWatcher
from cvec_circus_core.runtime.world import World

log = logging.getLogger(__name__)

DECIDING = frozenset(
    {"before_start", "after_start", "before_spawn", "after_spawn", "before_signal"}
)
"""Whose answer counts; all others are told."""

_MAY_FAIL = frozenset({"before_signal"})
"""Whose failure is no veto."""

_SIGKILL = 9
_GONE = 2
"""What hooks are told of the status of a process that has been collected (UNEXISTING)."""


class WatcherHooks:
    """Asks and tells the hooks of one watcher."""

    def __init__(
        self,
        world: World,
        post: Callable[[Input], None],
        spec: Callable[[], WatcherSpec],
        watcher: HookWatcher,
    ) -> None:
        self._world = world
        self._post = post
        self._spec = spec
        self._watcher = watcher
        self._modules = HookModules()
        self._threads = HookThreads(world.loop)
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_order = asyncio.Lock()

    def ask(self, question: AskHook) -> None:
        """Ask, and post the answer."""
        extra = {} if question.pid is None else {"pid": question.pid}

        async def ask() -> None:
            allowed, why = await self._call(question.hook, **extra)
            self._post(HookAnswered(question.serial, question.wid, allowed, why))

        self._run(ask())

    def tell(self, event: events.Event) -> None:
        """Tell the hooks of an event that wait for it."""
        hooks = self._spec().hooks
        if not hooks:
            return
        match event:
            case events.WatcherStopped() if "after_stop" in hooks:
                self._run(self._tell_in_order([("after_stop", {})]))
            case events.ProcessReaped() if "before_reap" in hooks or "after_reap" in hooks:
                before = {"process_pid": event.pid, "time": self._world.clock.wall()}
                after = {
                    **before,
                    "exit_code": event.exit_code,
                    "process_status": _GONE,
                    "reason": event.reason.value,
                }
                self._run(self._tell_in_order([("before_reap", before), ("after_reap", after)]))

    def around_signal(self, pid: int, signum: int, send: Callable[[], None]) -> bool:
        """Send a signal unless a hook says no; SIGKILL waits for no answer.

        Return whether it was sent at once.
        """
        hooks = self._spec().hooks
        if "before_signal" not in hooks and "after_signal" not in hooks:
            send()
            return True
        arguments = {"pid": pid, "signum": signum}
        if signum == _SIGKILL:
            send()
            calls = [("before_signal", arguments), ("after_signal", arguments)]
            self._run(self._tell_in_order(calls))
            return True
        self._run(self._signal(arguments, send))
        return False

    async def _signal(self, arguments: Mapping[str, object], send: Callable[[], None]) -> None:
        allowed, _ = await self._call("before_signal", **arguments)
        if allowed:
            send()
            await self._tell_in_order([("after_signal", arguments)])

    async def extended_stats(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an info object with what the hook made of it; unchanged where the hook fails."""
        if "extended_stats" not in self._spec().hooks:
            return info
        stats = dict(info)
        agrees, _ = await self._call("extended_stats", pid=info.get("pid"), stats=stats)
        return stats if agrees else info

    def look_again(self) -> None:
        """Read modules anew at their next use, where their files have changed."""
        self._modules.doubt()

    async def wait_done(self) -> None:
        """Wait until every hook has been told; each hook's time is limited."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abandon(self) -> None:
        """Wait for no hook any more."""
        for task in self._tasks:
            task.cancel()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._world.loop.create_task(work, name=f"hook of {self._spec().name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("watcher %s: %s failed", self._spec().name, task.get_name(), exc_info=problem)

    async def _tell_in_order(self, calls: Sequence[tuple[str, Mapping[str, object]]]) -> None:
        async with self._in_order:
            for name, extra in calls:
                await self._call(name, **extra)

    async def _call(self, name: str, **extra: object) -> tuple[bool, str]:
        """Call a hook; return whether it agrees, and who says no or what went wrong."""
        spec = self._spec()
        hook = spec.hooks.get(name)
        if hook is None:
            return True, ""
        arguments = {
            "watcher": self._watcher,
            "arbiter": HookArbiter(self._world.neighbours.watchers, self._world, spec.name),
            "hook_name": name,
            **extra,
        }
        try:
            answer = await self._threads.call(
                partial(self._find, hook, spec), arguments, spec.hook_timeout
            )
        except Exception as error:
            return self._failed(name, hook, error)
        self._world.emit(events.HookSucceeded(spec.name, name))
        if answer is False and name in DECIDING:
            why = f"{name} said no ({name_of_hook(hook)})"
            log.warning("watcher %s: %s", spec.name, why)
            return False, why
        return True, ""

    def _failed(self, name: str, hook: HookSpec, error: Exception) -> tuple[bool, str]:
        spec = self._spec()
        text = str(error) if isinstance(error, HookProblem) else f"{type(error).__name__}: {error}"
        agrees = hook.ignore_failure or name in _MAY_FAIL
        log.warning(
            "watcher %s: %s failed (%s): %s%s",
            *(spec.name, name, name_of_hook(hook), text),
            "; it does not count" if agrees or name not in DECIDING else "",
            exc_info=None if isinstance(error, HookProblem) else error,
        )
        self._world.emit(events.HookFailed(spec.name, name, str(error)))
        return agrees, f"{name} failed ({name_of_hook(hook)}): {text}"

    def _find(self, hook: HookSpec, spec: WatcherSpec) -> Callable[..., Any]:
        if not isinstance(hook.call, str):
            ready_made: Callable[..., Any] = hook.call
            return ready_made
        path = spec.env.get("PYTHONPATH", "").split(os.pathsep)
        return self._modules.find(hook.call, [folder for folder in path if folder])
