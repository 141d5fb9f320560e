"""Calling what the operator wrote: found by its dotted name, off the loop, and not for ever.

A hook runs in a thread of its own, a coroutine in the event loop. A thread can not be stopped: one
that takes longer than hook_timeout is left alone, and counted. When too many of one watcher's hooks
hang, no more are called until one returns. The threads are daemon threads, so that a hook that
hangs does not keep the program from ending.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from cvec_circus_core.extend.gates import find_gate
from cvec_circus_core.model.errors import CircusError, ConfigError
from cvec_circus_core.model.hook_specs import GATE
from cvec_circus_core.system.processes.priority import precedence

MOST_HANGING = 8
"""Calls of one watcher that may hang before no more are made."""

SIDE_BY_SIDE = 16
"""Calls of one watcher that may be under way at once."""

Stamp = tuple[int, int]


class HookProblem(CircusError):
    """A hook could not be called, or did not answer."""


class HookModules:
    """Finds callables, and reads a module anew when its file has changed, where that is wanted."""

    def __init__(self) -> None:
        self._stamps: dict[str, Stamp] = {}
        self._doubtful: set[str] = set()
        self._gates: dict[str, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def doubt(self) -> None:
        """Look at the files of all modules before their next use."""
        with self._lock:
            self._doubtful = set(self._stamps)

    def find(self, name: str, path: Iterable[str]) -> Callable[..., Any]:
        """Return what a name means. Raises `HookProblem`, or whatever an import raises."""
        if name.startswith(GATE):
            return self._gate(name.removeprefix(GATE))
        with self._lock:
            for folder in path:
                if folder not in sys.path:
                    sys.path.append(folder)
            module, rest = self._module(name)
        member: Any = module
        for part in rest:
            member = getattr(member, part, None)
        if not callable(member):
            raise HookProblem(f"{name} can not be called: there is no such thing in its module")
        return member  # type: ignore[no-any-return] # callable() has been asked

    def _gate(self, name: str) -> Callable[..., Any]:
        with self._lock:
            if name not in self._gates:
                try:
                    self._gates[name] = find_gate(name)
                except ConfigError as error:
                    raise HookProblem(str(error)) from None
            return self._gates[name]

    def _module(self, name: str) -> tuple[ModuleType, list[str]]:
        parts = name.split(".")
        for split in range(len(parts) - 1, 0, -1):
            module_name = ".".join(parts[:split])
            try:
                return self._current(module_name), parts[split:]
            except ModuleNotFoundError as error:
                # What the module itself imports and does not find is another matter.
                if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                    raise
        raise HookProblem(f"no module for {name} is found")

    def _current(self, name: str) -> ModuleType:
        importlib.invalidate_caches()
        module = sys.modules.get(name) or importlib.import_module(name)
        stamp = _stamp(module)
        # The stamp is that of what was read: a call after an edit must not hide the edit.
        if name in self._doubtful and stamp != self._stamps[name]:
            _forget_bytecode(module)
            module = importlib.reload(module)
            self._stamps[name] = stamp
        self._doubtful.discard(name)
        self._stamps.setdefault(name, stamp)
        return module


def _stamp(module: ModuleType) -> Stamp:
    try:
        status = os.stat(getattr(module, "__file__", None) or "")
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _forget_bytecode(module: ModuleType) -> None:
    # It holds whole seconds only: an edit right after another would not be seen.
    try:
        os.unlink(module.__cached__ or "")
    except (OSError, AttributeError):
        pass


class HookThreads:
    """Runs the calls of one watcher."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)
        self.hanging = 0
        """Calls that took too long and have not returned."""

    async def call(
        self,
        find: Callable[[], Callable[..., Any]],
        arguments: Mapping[str, Any],
        seconds: float,
    ) -> object:
        """Return what a hook returns, or raise what it raises. Raises `HookProblem` when late."""
        if self.hanging >= MOST_HANGING:
            raise HookProblem(f"not called, because {self.hanging} earlier calls still hang")
        async with self._room:
            answer: asyncio.Future[Any] = self._loop.create_future()
            state = {"late": False}
            thread = threading.Thread(
                target=self._work, args=(find, arguments, answer, state), name="hook", daemon=True
            )
            try:
                async with asyncio.timeout(seconds):
                    thread.start()
                    result = await answer
                    return await result if inspect.isawaitable(result) else result
            except TimeoutError:
                if thread.is_alive():
                    state["late"] = True
                    self.hanging += 1
                raise HookProblem(f"no answer in {seconds:g} s") from None

    def _work(
        self,
        find: Callable[[], Callable[..., Any]],
        arguments: Mapping[str, Any],
        answer: asyncio.Future[Any],
        state: dict[str, bool],
    ) -> None:
        result: Any = None
        problem: BaseException | None = None
        precedence.join()
        try:
            result = find()(**arguments)
        except BaseException as error:
            # A hook that says sys.exit() must not end in silence.
            problem = error

        def tell() -> None:
            if state["late"]:
                self.hanging -= 1
            if answer.done():
                if inspect.iscoroutine(result):
                    result.close()
            elif problem is None:
                answer.set_result(result)
            elif isinstance(problem, Exception) and not isinstance(problem, StopIteration):
                answer.set_exception(problem)
            else:
                answer.set_exception(HookProblem(f"{type(problem).__name__}: {problem}"))

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            return  # the loop has ended, and the answer is not waited for any more
