"""How hooks are found and called: by name, off the loop, and not for ever."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvec_circus_core.runtime.hook_calls import (
    MOST_HANGING,
    HookModules,
    HookProblem,
    HookThreads,
)
from tests.runtime.memory import in_memory

LIMIT = 10.0
"""Seconds after which a test has failed."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for modules, of which nothing is left afterwards."""
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


class TestFinding:
    def test_a_function_and_a_member_of_a_class(self, folder: Path) -> None:
        (folder / "found_hooks.py").write_text(
            "def agree(**_): return True\nclass Kind:\n    agree = staticmethod(agree)\n"
        )
        modules = HookModules()
        for name in ("found_hooks.agree", "found_hooks.Kind.agree"):
            assert modules.find(name, [str(folder)])() is True

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("no_such_module.agree", "no module for no_such_module.agree is found"),
            ("os.no_such_function", "there is no such thing in its module"),
            ("os.name", "can not be called"),
        ],
    )
    def test_what_is_not_there_is_said(self, name: str, why: str) -> None:
        with pytest.raises(HookProblem, match=why):
            HookModules().find(name, [])

    def test_what_the_module_itself_misses_is_another_matter(self, folder: Path) -> None:
        (folder / "needy_hooks.py").write_text("import no_such_module_at_all\n")
        with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
            HookModules().find("needy_hooks.agree", [str(folder)])

    def test_a_module_is_read_anew_where_that_is_wanted(self, folder: Path) -> None:
        file = folder / "edited_hooks.py"
        file.write_text("def answer(): return 1\n")
        modules = HookModules()
        assert modules.find("edited_hooks.answer", [str(folder)])() == 1
        file.write_text("def answer(): return 'two'\n")
        assert modules.find("edited_hooks.answer", [])() == 1
        modules.doubt()
        assert modules.find("edited_hooks.answer", [])() == "two"


async def called(threads: HookThreads, hook: Callable[..., object], **arguments: object) -> object:
    """Call a hook."""
    return await threads.call(lambda: hook, arguments, LIMIT)


class TestCalling:
    @in_memory
    async def test_a_function_runs_in_a_thread_of_its_own(self) -> None:
        def hook(word: str) -> tuple[str, bool]:
            return word, threading.current_thread() is threading.main_thread()

        assert await called(HookThreads(loop()), hook, word="x") == ("x", False)

    @in_memory
    async def test_a_coroutine_runs_in_the_loop(self) -> None:
        async def hook() -> bool:
            return threading.current_thread() is threading.main_thread()

        assert await called(HookThreads(loop()), hook) is True

    @in_memory
    async def test_what_it_raises_is_raised(self) -> None:
        def hook() -> None:
            raise KeyError("gone")

        with pytest.raises(KeyError):
            await called(HookThreads(loop()), hook)

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration()])
    @in_memory
    async def test_one_that_wants_to_end_the_program_has_failed(self, error: BaseException) -> None:
        def hook() -> None:
            raise error

        with pytest.raises(HookProblem, match=type(error).__name__):
            await called(HookThreads(loop()), hook)

    @in_memory
    async def test_one_that_hangs_is_left_alone_and_counted_until_it_returns(self) -> None:
        threads, release = HookThreads(loop()), threading.Event()
        for _ in range(MOST_HANGING):
            with pytest.raises(HookProblem, match=r"no answer in 0\.01 s"):
                await threads.call(lambda: release.wait, {"timeout": LIMIT}, 0.01)
        with pytest.raises(HookProblem, match="earlier calls still hang"):
            await called(threads, bool)
        release.set()
        async with asyncio.timeout(LIMIT):
            while threads.hanging:  # noqa: ASYNC110 # the threads tell nobody
                await asyncio.sleep(0.001)
        assert await called(threads, bool) is False


def loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this test."""
    return asyncio.get_running_loop()
