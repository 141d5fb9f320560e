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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("cvec_circus_core", "cvec_circus_plugins", "cvec_circus_cli")
LINES_OF_ONE_THING = 300

CORE, PLUGINS, CLI = PACKAGES
MODEL, EXTEND, SYSTEM = f"{CORE}.model", f"{CORE}.extend", f"{CORE}.system"


@dataclass(frozen=True)
class Room:
    """What the modules of one room may import: dotted prefixes of ours, and third parties."""

    ours: tuple[str, ...] = ()
    third_party: tuple[str, ...] = ()


NET = f"{SYSTEM}.net"
REQUESTS, CONTROL = f"{CORE}.requests", f"{CORE}.control"
DAEMON, HOSTING = f"{CORE}.daemon", f"{CORE}.hosting"

ROOMS: Mapping[str, Room] = {
    MODEL: Room(third_party=("msgspec", "re2")),
    f"{CORE}.policy": Room((MODEL,)),
    SYSTEM: Room((MODEL,), ("psutil",)),
    EXTEND: Room((MODEL,), ("pluggy", "stevedore")),
    f"{CORE}.config": Room((MODEL,)),
    f"{CORE}.runtime": Room((MODEL, f"{CORE}.policy", SYSTEM, EXTEND)),
    REQUESTS: Room(
        (MODEL, f"{CORE}.policy", EXTEND, f"{SYSTEM}.protocols", f"{SYSTEM}.accounts"), ("msgspec",)
    ),
    CONTROL: Room(
        (
            *(MODEL, EXTEND, REQUESTS, f"{NET}.peers", f"{NET}.endpoint_files"),
            *(
                f"{SYSTEM}.deadline",
                f"{SYSTEM}.protocols",
                f"{SYSTEM}.key_files",
                f"{SYSTEM}.hangup",
            ),
        ),
        ("zmq", "msgspec"),
    ),
    f"{CONTROL}.endpoints": Room(
        (CONTROL, REQUESTS, MODEL, f"{CORE}.policy.permission", SYSTEM), ("zmq",)
    ),
    HOSTING: Room((MODEL, EXTEND, CONTROL), ("zmq",)),
    f"{HOSTING}.runner": Room(
        (
            *(HOSTING, MODEL, EXTEND, CONTROL, f"{CORE}.config", f"{DAEMON}.logs"),
            f"{SYSTEM}.processes.daemon_death",
        )
    ),
    f"{CORE}.embed": Room((CORE,), ("zmq",)),
    f"{CORE}.engine": Room((CORE,), ("zmq",)),
    f"{CORE}.stats_endpoint": Room((CORE,), ("zmq",)),
    f"{CORE}.api": Room((CORE,)),
    f"{CORE}.testing": Room((CORE,)),
    DAEMON: Room((CORE,)),
    f"{DAEMON}.logs": Room(
        (
            *(MODEL, f"{DAEMON}.log_queue", f"{DAEMON}.log_targets"),
            *(f"{DAEMON}.syslog_target", f"{DAEMON}.logger_config"),
            f"{SYSTEM}.processes.priority",
        )
    ),
    f"{DAEMON}.log_queue": Room((f"{SYSTEM}.files", f"{SYSTEM}.processes.priority")),
    f"{DAEMON}.syslog_target": Room((MODEL, f"{DAEMON}.log_targets")),
    f"{DAEMON}.logger_config": Room((MODEL,), ("yaml",)),
    f"{DAEMON}.preflight": Room((MODEL, EXTEND, f"{DAEMON}.logger_config", f"{SYSTEM}.accounts")),
    f"{DAEMON}.log_targets": Room((MODEL, f"{SYSTEM}.files")),
    f"{DAEMON}.lazy_modules": Room(),
    PLUGINS: Room((f"{CORE}.api",), ("statsd",)),
    f"{PLUGINS}.redis_observer": Room((PLUGINS, f"{CORE}.api"), ("redis",)),
    f"{PLUGINS}.prometheus": Room((PLUGINS, f"{CORE}.api"), ("prometheus_client",)),
    f"{PLUGINS}._directories": Room((PLUGINS, f"{CORE}.api"), ("watchfiles",)),
    CLI: Room((f"{CORE}.api", f"{PLUGINS}.questions")),
    f"{CLI}.top.screen": Room((CLI, f"{CORE}.api"), ("rich", "textual")),
    f"{CLI}.circusd": Room((CLI, f"{CORE}.api", f"{DAEMON}.main", f"{DAEMON}.lazy_modules")),
    f"{CLI}.circusd_stats": Room((CLI, f"{CORE}.api", f"{HOSTING}.runner")),
    f"{CLI}.circus_plugin": Room((CLI, f"{CORE}.api", f"{HOSTING}.runner")),
}
DOORS = {CORE: Room((CORE,))}
"""Modules that are a room of their own, without what lies below them."""

TYPING_TESTS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")

ONLY_IN_SYSTEM = (
    *("time", "subprocess", "psutil", "multiprocessing"),
    *("asyncio.subprocess", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("os.fork", "os.forkpty", "os.kill", "os.killpg", "os.system", "os.popen"),
    *("os.wait", "os.wait3", "os.wait4", "os.waitid", "os.waitpid"),
    *("os.posix_spawn", "os.posix_spawnp", "os.pidfd_open"),
    *("signal.signal", "signal.pidfd_send_signal"),
)


@dataclass(frozen=True)
class Import:
    """One imported name, absolute, with the line where it stands."""

    target: str
    line: int
    typing_only: bool = False


def inside(name: str, prefix: str) -> bool:
    """Tell whether a dotted name is the prefix or lies below it."""
    return name == prefix or name.startswith(f"{prefix}.")


def imports_of(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """Return everything that a module imports, relative names made absolute."""
    package = module if is_package else module.rpartition(".")[0]
    tree = ast.parse(source)
    typing_only = {id(node) for branch in _typing_branches(tree) for node in ast.walk(branch)}
    found = []
    for node in ast.walk(tree):
        for target in _targets(node, package):
            line = getattr(node, "lineno", 0)
            found.append(Import(target, line, id(node) in typing_only))
    return found


def _typing_branches(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in TYPING_TESTS:
            yield from node.body


def _targets(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names):
            yield from (one.name for one in names)
        case ast.ImportFrom(origin, names, level):
            parents = package.split(".")[: len(package.split(".")) - (level or 1) + 1]
            start = [".".join(parents)] if level else []
            yield from (
                ".".join([*start, *([origin] if origin else []), one.name]) for one in names
            )
        case ast.Call(ast.Name("import_module" | "__import__"), [ast.Constant(str(name)), *_]):
            yield name
        case ast.Call(ast.Attribute(attr="import_module"), [ast.Constant(str(name)), *_]):
            yield name


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


def cycle_in(sources: Mapping[str, str], packages: frozenset[str] = frozenset()) -> list[str]:
    """Return the modules of an import cycle, or nothing; imports for types do not count."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        wanted = {
            _module_of(one.target, sources)
            for one in imports_of(source, module, is_package=module in packages)
            if not one.typing_only
        }
        graph[module] = {name for name in wanted if name is not None and name != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module_of(target: str, known: Mapping[str, str]) -> str | None:
    while target and target not in known:
        target = target.rpartition(".")[0]
    return target or None


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


def read_house() -> dict[str, Path]:
    """Return every module of the three packages with its file."""
    found = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


HOUSE = read_house()
SOURCES = {module: file.read_text(encoding="utf-8") for module, file in HOUSE.items()}
PACKAGE_MODULES = frozenset(name for name, file in HOUSE.items() if file.stem == "__init__")
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
