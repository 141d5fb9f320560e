"""Hooks in the shapes that public ones have: what they are handed is the real thing."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.compat.conftest import Library
from tests.programs import wait_until

pytestmark = pytest.mark.live

NOTE = """
import os, time, signal

def note(*words):
    with open("notes", "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")
"""

SECTION = """
[watcher:web]
cmd = sh -c 'echo X is $X, Y is $Y >> said; exec sleep 100'
copy_env = True
my.own = 7
graceful_timeout = 2
hooks.{hook} = my_hooks.hook
[watcher:other]
cmd = sleep 100
autostart = False
[env:web]
PYTHONPATH = {folder}
Y = from the file
"""

SHAPES = {
    "writes the environment": (
        "before_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            note(hook_name, watcher.name, watcher.env["Y"], "PATH" in watcher.env)
            watcher.env["X"] = "set by the hook"
            watcher.env.update({"Y": "changed"})
            note(watcher.env["X"], watcher.env["Y"])
            return True
        """,
        ["before_start web from the file True", "set by the hook changed"],
        ["X is set by the hook, Y is changed"],
    ),
    "reads options": (
        "before_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            options = dict(watcher.options())
            note(options["graceful_timeout"] == 2, options["numprocesses"], options["cmd"][:2])
            note(watcher._options["my.own"], watcher.numprocesses, watcher.graceful_timeout == 2)
            note(watcher.is_stopped(), watcher.is_active(), watcher.status() != "active")
            return True
        """,
        ["True 1 sh", "7 1 True", "True False True"],
        [],
    ),
    "reads the process that was started": (
        "after_spawn",
        """
        def hook(watcher, arbiter, hook_name, pid, **kwargs):
            process = watcher.processes[pid]
            note(hook_name, abs(time.time() - process.started) < 5, process.age() < 5)
            note(process.pid == pid, process.wid, pid in watcher.get_active_pids())
            return True
        """,
        ["after_spawn True True", "True 1 True"],
        [],
    ),
    "knows the others": (
        "before_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            note(arbiter.get_watcher("OTHER").name, arbiter.get_watcher("web").name)
            note(sorted(one.name for one in arbiter.iter_watchers()), arbiter.numwatchers())
            note(arbiter.get_watcher("other").is_stopped(), arbiter.endpoint.startswith("ipc:"))
            try:
                arbiter.get_watcher("none")
            except KeyError:
                note("no such watcher")
            return True
        """,
        ["other web", "['other', 'web'] 2", "True True", "no such watcher"],
        [],
    ),
    "changes what is to come": (
        "before_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            watcher.numprocesses = 2
            note(watcher.numprocesses)
            return True
        """,
        ["2"],
        ["X is , Y is from the file"] * 2,
    ),
}


def play(
    library: Library, folder: Path, shape: str, ours: bool = False
) -> tuple[list[str], list[str]]:
    """Run a daemon with the hook until all is there that is waited for; return notes and output."""
    hook, text, notes, said = (OURS if ours else SHAPES)[shape]
    (folder / "my_hooks.py").write_text(NOTE + textwrap.dedent(text))

    def lines(name: str) -> list[str]:
        file = folder / name
        return file.read_text().splitlines() if file.exists() else []

    with library.daemon(folder, SECTION.format(hook=hook, folder=folder)) as log:
        try:
            wait_until(
                lambda: len(lines("notes")) >= len(notes) and len(lines("said")) >= len(said)
            )
        except AssertionError:
            raise AssertionError(log.read_text() + str(lines("notes"))) from None
    return lines("notes"), lines("said")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hook(library: Library, folder: Path, shape: str) -> None:
    notes, said = play(library, folder, shape)
    assert notes[: len(SHAPES[shape][2])] == SHAPES[shape][2]
    assert said[: len(SHAPES[shape][3])] == SHAPES[shape][3]


OURS = {
    "starts another": (
        "after_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            arbiter.get_watcher("other").start()
            while not arbiter.get_watcher("other").is_active():
                time.sleep(0.01)
            note(arbiter.statuses()["other"], arbiter.numprocesses() >= 2)
        """,
        ["active True"],
        [],
    ),
    "has more": (
        "after_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            watcher.incr()
            while len(watcher.pids) < 2:
                time.sleep(0.01)
            watcher.spawn_process()
            while len(watcher.pids) < 3:
                time.sleep(0.01)
            note(watcher.numprocesses, len(watcher), watcher.arbiter.numwatchers())
            watcher.send_signal(watcher.pids[0], signal.SIGKILL)
        """,
        ["3 3 2"],
        ["X is , Y is from the file"] * 4,
    ),
    "writes what can not be": (
        "before_start",
        """
        def refused(write):
            try:
                write()
            except Exception as error:
                note(type(error).__name__, error)
        def hook(watcher, arbiter, hook_name, **kwargs):
            refused(lambda: setattr(watcher, "numprocesses", "many"))
            refused(lambda: setattr(watcher, "nonsense", 1))
            refused(lambda: watcher.env.pop("PATH"))
            refused(lambda: watcher.env.update(A=1))
            refused(lambda: setattr(arbiter, "check_delay", 1))
            refused(lambda: watcher._options.update(a=1))
        """,
        [
            "BadMessage 'numprocesses' isn't an integer",
            "BadMessage unknown key 'nonsense'",
            "BadMessage the variable PATH is the daemon's, and not the watcher's to take",
            "BadMessage 'env' isn't an object of strings",
            "AttributeError check_delay of the arbiter is set in its file, and not by a hook",
            "AttributeError 'mappingproxy' object has no attribute 'update'",
        ],
        [],
    ),
    "looks at processes": (
        "after_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            (process,) = watcher.processes.values()
            note(process.is_alive(), process.info()["pid"] == process.pid, process.children())
            note(list(watcher.info()) == [process.pid], process.is_child(1))
        """,
        ["True True []", "True False"],
        [],
    ),
}
"""What the older release refuses, because it is busy, or takes and forgets."""


@pytest.mark.parametrize("shape", OURS)
def test_a_hook_on_ours(compat: Library, folder: Path, shape: str) -> None:
    notes, said = play(compat, folder, shape, ours=True)
    assert (notes, said[: len(OURS[shape][3])]) == OURS[shape][2:]
