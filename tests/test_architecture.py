"""The rooms of the house, and who may enter which (docs/design/rooms.rst).

Imports are read from the syntax tree, at any depth: one inside a function or under TYPE_CHECKING
counts like any other for the direction. Only imports that run count for cycles. The checks are
plain functions over source text, so that the second half of this file can show each of them a
snippet that it has to refuse.
"""

from __future__ import annotations

import ast
import sys
import tomllib
import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from tests.house import (
    HOUSE,
    PACKAGE_MODULES,
    ROOT,
    SOURCES,
    any_annotations,
    cycle_in,
    gerunds,
    imports_of,
    inside,
    of_core,
    persons,
    repeated_classes,
    repeated_modules,
    supervisors,
    untested_in_memory,
    vague_names,
)
from tests.rooms import CONTROL, DOORS, PACKAGES, PURPOSES, REQUESTS, ROOMS, SYSTEM, Room

LINES_OF_ONE_THING = 300

ONLY_IN_SYSTEM = (
    *("time", "subprocess", "psutil", "multiprocessing"),
    *("asyncio.subprocess", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("os.fork", "os.forkpty", "os.kill", "os.killpg", "os.system", "os.popen"),
    *("os.wait", "os.wait3", "os.wait4", "os.waitid", "os.waitpid"),
    *("os.posix_spawn", "os.posix_spawnp", "os.pidfd_open"),
    *("signal.signal", "signal.pidfd_send_signal"),
)


def room_of(module: str) -> tuple[str, Room] | None:
    """Return the room that a module belongs to: the one with the longest matching name."""
    if module in DOORS:
        return module, DOORS[module]
    names = [name for name in ROOMS if inside(module, name)]
    return max(((name, ROOMS[name]) for name in names), key=lambda one: len(one[0]), default=None)


def strangers(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return a sentence for every import that does not belong in the module's room."""
    home = room_of(module)
    if home is None:
        return [f"{module} is in no room of the house"]
    name, room = home
    wrong = []
    for one in imports_of(source, module, is_package=is_package):
        first = one.target.partition(".")[0]
        if first in PACKAGES:
            allowed = any(inside(one.target, prefix) for prefix in (name, *room.ours))
        else:
            allowed = first in sys.stdlib_module_names or first in room.third_party
        if not allowed:
            wrong.append(f"{module}:{one.line} imports {one.target}")
    return wrong


def smuggled(source: str, module: str) -> list[str]:
    """Return a sentence for every use of the operating system outside its room."""
    if inside(module, SYSTEM):
        return []
    tree = ast.parse(source)
    local = dict(_local_names(tree))
    used = [(one.target, one.line) for one in imports_of(source, module)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            if first in local:
                used.append((f"{local[first]}.{rest}", node.lineno))
    return [
        f"{module}:{line} uses {name}"
        for name, line in used
        if any(inside(name, banned) for banned in ONLY_IN_SYSTEM)
    ]


NO_WIRE = ("zmq", "json", "socket", "struct", "ssl", "http", "msgspec.json")
"""What `requests/` does not know: how messages come in is the business of each entrance."""


def wires(source: str, module: str) -> list[str]:
    """Return a sentence for every format or transport that is known where none should be."""
    if not inside(module, REQUESTS):
        return []
    return [
        f"{module}:{one.line} knows {one.target}"
        for one in imports_of(source, module)
        if any(inside(one.target, wire) for wire in NO_WIRE)
    ]


def _local_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.partition(".")[0]
                yield (name.asname, name.name) if name.asname else (first, first)


def undocumented(source: str, module: str) -> list[str]:
    """Return what is public and does not say in a first line what it is."""
    tree = ast.parse(source)
    nodes: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]
    nodes = [(module, tree)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            nodes.append((f"{module}.{node.name}", node))
    return [
        name
        for name, node in nodes
        if not name.rpartition(".")[2].startswith("_") and not _first_line(node)
    ]


def _first_line(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0].strip(" .")


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def entry_points() -> list[EntryPoint]:
    """Return the programs and the named things that the distribution promises."""
    groups = {"console_scripts": PROJECT["scripts"], **PROJECT["entry-points"]}
    return [
        EntryPoint(name, value, group)
        for group, entries in groups.items()
        for name, value in entries.items()
    ]


@pytest.mark.parametrize("module", HOUSE)
class TestEveryModule:
    """The house as it stands."""

    def test_imports_only_what_its_room_may(self, module: str) -> None:
        assert not strangers(SOURCES[module], module, is_package=module in PACKAGE_MODULES)

    def test_leaves_the_operating_system_to_its_room(self, module: str) -> None:
        assert not smuggled(SOURCES[module], module)

    def test_knows_no_wire_where_requests_are_answered(self, module: str) -> None:
        assert not wires(SOURCES[module], module)

    def test_says_what_its_public_names_are(self, module: str) -> None:
        assert not undocumented(SOURCES[module], module)


def test_no_module_imports_itself_through_others() -> None:
    assert not cycle_in(SOURCES, PACKAGE_MODULES)


def test_no_cycle_hides_behind_types() -> None:
    assert not cycle_in(SOURCES, PACKAGE_MODULES, with_types=True)


def test_every_room_has_a_purpose() -> None:
    assert PURPOSES.keys() == ROOMS.keys()


class TestNames:
    """What `python -m tests.house` measures, held."""

    def test_locals_say_what_they_hold(self) -> None:
        vague, names = vague_names(SOURCES)
        assert vague < 0.02 * names

    def test_a_class_name_means_one_thing(self) -> None:
        assert not repeated_classes(of_core(SOURCES))

    def test_a_module_name_means_one_thing(self) -> None:
        assert not repeated_modules(of_core(SOURCES))

    def test_modules_are_named_by_what_they_are(self) -> None:
        assert not gerunds(of_core(SOURCES))

    def test_callers_are_persons_of_any_kind(self) -> None:
        assert not persons(SOURCES)


def test_little_is_of_any_type() -> None:
    assert sum(map(any_annotations, SOURCES.values())) < 60


def test_the_verbs_of_the_supervisor_are_written_once() -> None:
    assert set(supervisors(SOURCES)) <= {
        "cvec_circus_core.runtime.supervisor.LocalSupervisor",
        "cvec_circus_core.runtime.watcher.WatcherActor",
    }


def test_every_module_of_runtime_has_a_test_in_memory() -> None:
    assert not untested_in_memory(SOURCES)


def test_long_modules_are_told() -> None:
    for module, source in SOURCES.items():
        if (lines := source.count("\n")) > LINES_OF_ONE_THING:
            warnings.warn(f"{module} has {lines} lines: is it one thing?", stacklevel=1)


@pytest.mark.parametrize("entry", entry_points(), ids=lambda one: f"{one.group}:{one.name}")
def test_every_entry_point_loads(entry: EntryPoint) -> None:
    assert callable(entry.load()) or entry.name == "circus.logger"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cvec_circus_core.model.specs", "import cvec_circus_core.policy.step"),
        ("cvec_circus_core.model.specs", "from cvec_circus_core import policy"),
        ("cvec_circus_core.model.specs", "def f():\n    from ..policy import step"),
        ("cvec_circus_core.model", "from .. import runtime"),
        ("cvec_circus_core.policy.step", "import zmq"),
        ("cvec_circus_core.policy.step", "from cvec_circus_core import get_arbiter"),
        ("cvec_circus_core.config.build", "import_module('cvec_circus_core.system')"),
        ("cvec_circus_core.control.server", "from cvec_circus_core.system import processes"),
        ("cvec_circus_core.requests.service", "import zmq"),
        ("cvec_circus_core.requests.dispatch", "from cvec_circus_core.control import codec"),
        ("cvec_circus_core.requests.dispatch", "import cvec_circus_core.runtime.supervisor"),
        ("cvec_circus_core.runtime.bus", "import cvec_circus_core.control.codec"),
        (
            "cvec_circus_core.runtime.bus",
            "if TYPE_CHECKING:\n    import cvec_circus_core.daemon",
        ),
        ("cvec_circus_core.runtime.bus", "import cvec_circus_plugins.commands"),
        ("cvec_circus_plugins.commands.stop", "from cvec_circus_core.model import errors"),
        ("cvec_circus_plugins.commands.stop", "import cvec_circus_cli"),
        ("cvec_circus_cli.circusctl", "from cvec_circus_core.daemon.main import run"),
        ("cvec_circus_core.attic.things", ""),
    ],
)
def test_a_stranger_is_seen(module: str, source: str) -> None:
    assert len(strangers(source, module, is_package=module.count(".") == 1)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cvec_circus_core.model.specs", "import ast\nfrom cvec_circus_core.model import names"),
        (
            "cvec_circus_core.control.server",
            "from cvec_circus_core.system.net.peers import owner",
        ),
        ("cvec_circus_core.control.server", "from cvec_circus_core.system.net import peers"),
        ("cvec_circus_core.embed.arbiter", "import cvec_circus_core.runtime.arbiter"),
        ("cvec_circus_cli.circusd", "from cvec_circus_core.daemon.main import run"),
        ("cvec_circus_cli.circusd", "from cvec_circus_cli import exits"),
        ("cvec_circus_core.system.stats.census", "import psutil"),
    ],
)
def test_a_neighbour_is_let_in(module: str, source: str) -> None:
    assert not strangers(source, module)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "def f():\n    import subprocess as s",
        "import os\nos.kill(1, 2)",
        "import os as o\no.waitpid(1, 0)",
        "from os import fork",
        "import signal\nsignal.signal(1, f)",
        "import asyncio\nasyncio.create_subprocess_exec('x')",
        "import psutil",
    ],
)
def test_a_smuggler_is_seen(source: str) -> None:
    assert smuggled(source, "cvec_circus_core.runtime.arbiter")
    assert not smuggled(source, "cvec_circus_core.system.processes.local")


@pytest.mark.parametrize("source", ["import zmq", "def f():\n    from json import loads"])
def test_a_wire_is_seen(source: str) -> None:
    assert wires(source, f"{REQUESTS}.service")
    assert not wires(source, f"{CONTROL}.server")


@pytest.mark.parametrize("source", ["import os\nos.getpid()", "import signal\nsignal.Signals(1)"])
def test_harmless_calls_are_no_smuggling(source: str) -> None:
    assert not smuggled(source, "cvec_circus_core.runtime.arbiter")


def test_a_cycle_is_seen_at_any_depth_but_not_among_types() -> None:
    there = "def f():\n    from pack import two"
    back = "import pack.one"
    assert cycle_in({"pack.one": there, "pack.two": back})
    assert not cycle_in({"pack.one": there, "pack.two": f"if TYPE_CHECKING:\n    {back}"})
    assert not cycle_in({"pack.one": there, "pack.two": ""})


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("", ["m"]),
        ('"""."""', ["m"]),
        ('"""It."""\nclass A: ...\nclass _B: ...\ndef f(): ...', ["m.A", "m.f"]),
        ('"""It."""\nclass A:\n    """A thing."""', []),
    ],
)
def test_silence_is_seen(source: str, missing: list[str]) -> None:
    assert undocumented(source, "m") == missing


def test_vague_names_are_counted() -> None:
    source = "one = 1\nfor reply in one: said = reply\n"
    assert vague_names({"m": source}) == (2, 3)


def test_names_of_two_meanings_are_seen() -> None:
    sources = {"a.load": "class Place: ...", "b.load": "class Place: ...\nclass _Own: ..."}
    assert repeated_classes(sources) == {"Place": ["a.load", "b.load"]}
    assert repeated_modules([*sources, "a.machine", "b.machine"]) == {"load": [*sources]}
    assert gerunds(["a.knocking", "a.testing", "a.ring"]) == ["knocking"]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f(a: Any, *b: Any, **c: int) -> Any: ...", 3),
        ("def f(a: Any | None, b: 'Any', c: dict[str, Any]) -> None: ...", 2),
        ("x: Any = 1", 0),
    ],
)
def test_any_is_counted(source: str, count: int) -> None:
    assert any_annotations(source) == count


def test_a_caller_that_is_a_man_is_seen() -> None:
    assert persons({"m": '"""Whoever calls."""\nshe = "the other"\n'}) == [
        'm:1: """Whoever calls."""'
    ]


def test_a_cycle_of_types_is_seen() -> None:
    typing_only = "if TYPE_CHECKING:\n    import pack.one"
    assert cycle_in({"pack.one": "import pack.two", "pack.two": typing_only}, with_types=True)


def test_a_second_supervisor_is_seen() -> None:
    verbs = SOURCES["cvec_circus_core.extend.ports"].replace("(Protocol)", "")
    assert "m.WatcherPort" in supervisors({**SOURCES, "m": verbs})


def test_a_module_without_a_test_in_memory_is_seen() -> None:
    lost = "cvec_circus_core.runtime.lost_module"
    assert untested_in_memory({**SOURCES, lost: ""}) == [lost]
