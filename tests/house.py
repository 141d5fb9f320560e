"""How plain the house is: figures of names, types and walls, and a table of them.

    python -m tests.house

`test_architecture.py` holds most of these figures.
"""

from __future__ import annotations

import ast
import collections
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.rooms import CORE, PACKAGES

ROOT = Path(__file__).resolve().parent.parent
COMPAT = ROOT / "cvec_circus_plugins" / "compat"
"""A distribution of its own, with the names and the surface of the older one."""
TYPING_TESTS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


VAGUE = frozenset(
    {
        *("one", "found", "told", "said", "given", "made", "known", "there", "wanted", "came"),
        *("some", "others", "it", "thing", "left", "seen", "taken", "what", "used", "asked"),
        *("held", "begun", "done", "listed", "shown", "named"),
    }
)
"""Names of locals that say nothing of what they hold."""

GERUNDS = frozenset({"hosting"})
"""Modules named by a gerund that is the standard term."""
NO_GERUNDS = frozenset({"testing"})

TWINS = frozenset(
    {
        # Nouns in `model`, the judgement about them in `policy`.
        *("launch", "readiness", "views"),
        # The machine of one watcher beside that of all watchers.
        *("advance", "effects", "inputs", "machine", "record", "state"),
        # One thing as it is decided, as it is run, and as the library shows it.
        *("arbiter", "process", "tickets", "watcher"),
        # One thing as the network has it, and as ZeroMQ has it.
        *("bind", "endpoints", "peers"),
    }
)
"""Base names of modules in core that stand twice and mean the same thing."""

PERSONS = re.compile(r"\b(he|him|his|himself|whoever|whomever)\b", re.IGNORECASE)

IN_MEMORY = (
    "contracts",
    "control",
    "extend",
    "policy",
    "requests",
    "runtime",
    "sockets",
    "streams",
)
"""Folders of tests that start no daemon, but for modules marked as live."""


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


def cycle_in(
    sources: Mapping[str, str], packages: frozenset[str] = frozenset(), with_types: bool = False
) -> list[str]:
    """Return the modules of an import cycle, or nothing; of imports for types only if asked."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        wanted = {
            _module_of(one.target, sources)
            for one in imports_of(source, module, is_package=module in packages)
            if with_types or not one.typing_only
        }
        graph[module] = {name for name in wanted if name is not None and name != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module_of(target: str, known: Container[str]) -> str | None:
    while target and target not in known:
        target = target.rpartition(".")[0]
    return target or None


def read_house() -> dict[str, Path]:
    """Return every module of the three packages with its file."""
    found = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.is_relative_to(COMPAT):
                continue
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


HOUSE = read_house()
SOURCES = {module: file.read_text(encoding="utf-8") for module, file in HOUSE.items()}
PACKAGE_MODULES = frozenset(name for name, file in HOUSE.items() if file.stem == "__init__")

Sources = Mapping[str, str]


def of_core(sources: Sources) -> dict[str, str]:
    """Return the modules of the kernel."""
    return {module: source for module, source in sources.items() if inside(module, CORE)}


def vague_names(sources: Sources) -> tuple[int, int]:
    """Return how many assigned names say nothing, and how many there are."""
    stores = [
        node.id
        for source in sources.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return sum(name in VAGUE for name in stores), len(stores)


def repeated_classes(sources: Sources) -> dict[str, list[str]]:
    """Return the public classes whose name stands in more than one module."""
    homes = collections.defaultdict(list)
    for module, source in sources.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module)
    return {name: modules for name, modules in sorted(homes.items()) if len(modules) > 1}


def repeated_modules(modules: Iterable[str]) -> dict[str, list[str]]:
    """Return the base names of modules that stand more than once, but for twins."""
    homes = collections.defaultdict(list)
    for module in modules:
        homes[module.rpartition(".")[2]].append(module)
    return {
        name: paths for name, paths in sorted(homes.items()) if len(paths) > 1 and name not in TWINS
    }


def gerunds(modules: Iterable[str]) -> list[str]:
    """Return the parts of module names that are gerunds, but for standard terms."""
    words = {word.strip("_") for module in modules for word in module.split(".")}
    return sorted(
        word
        for word in words
        if word.endswith("ing") and len(word) > 4 and word not in GERUNDS | NO_GERUNDS
    )


def any_annotations(source: str) -> int:
    """Return how many parameters and results may be anything at all."""
    count = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            parameters += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
            count += sum(_is_any(parameter.annotation) for parameter in parameters)
            count += _is_any(node.returns)
    return count


def _is_any(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Name("Any") | ast.Attribute(attr="Any"):
            return True
        case ast.BinOp(left, ast.BitOr(), right):
            return _is_any(left) or _is_any(right)
        case ast.Constant(str(text)):
            return _is_any(ast.parse(text, mode="eval").body)
        case ast.Subscript(ast.Name("Optional"), inner):
            return _is_any(inner)
    return False


def persons(sources: Sources) -> list[str]:
    """Return a line for every word that makes a man of a caller."""
    return [
        f"{module}:{number}: {line.strip()}"
        for module, source in sources.items()
        for number, line in enumerate(source.splitlines(), 1)
        if PERSONS.search(line)
    ]


def supervisors(sources: Sources) -> list[str]:
    """Return the classes that write out the verbs of the supervisor's ports."""
    ports = ast.parse(sources[f"{CORE}.extend.ports"])
    verbs = [
        _methods(node)
        for node in ports.body
        if isinstance(node, ast.ClassDef) and node.name in ("Supervisor", "WatcherPort")
    ]
    return [
        f"{module}.{node.name}"
        for module, source in sources.items()
        if module != f"{CORE}.extend.ports" and not inside(module, f"{CORE}.testing")
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
        and any(2 * len(_methods(node) & port) >= len(port) for port in verbs)
    ]


def _methods(node: ast.ClassDef) -> set[str]:
    return {
        item.name
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name[0] != "_"
    }


def untested_in_memory(sources: Sources) -> list[str]:
    """Return the modules of `runtime` that no test without a daemon brings to life.

    A test brings to life what it imports of that room, and what this works with there.
    """
    runtime = {
        module: imports_of(source, module, is_package=module in PACKAGE_MODULES)
        for module, source in sources.items()
        if inside(module, f"{CORE}.runtime") and module not in PACKAGE_MODULES
    }
    waiting = [imported.target for imported in _imports_of_tests()]
    reached: set[str] = set()
    while waiting:
        module = _module_of(waiting.pop(), runtime)
        if module is not None and module not in reached:
            reached.add(module)
            waiting += (imported.target for imported in runtime[module])
    return sorted(runtime.keys() - reached)


def _imports_of_tests() -> Iterator[Import]:
    for folder in IN_MEMORY:
        for file in (ROOT / "tests" / folder).rglob("*.py"):
            source = file.read_text(encoding="utf-8")
            if "mark.live" not in source:
                yield from imports_of(source, f"tests.{folder}.{file.stem}")


def figures(sources: Sources = SOURCES) -> list[tuple[str, str]]:
    """Return what is measured, each with its figure."""
    core = of_core(sources)
    vague, names = vague_names(sources)
    return [
        ("vague assigned names", f"{100 * vague / names:.1f} % ({vague} of {names})"),
        ("class names with two meanings in core", _counted(repeated_classes(core))),
        ("module names with two meanings in core", _counted(repeated_modules(core))),
        ("modules named by a gerund that is no standard term", _counted(gerunds(core))),
        ("Any as type of a parameter or result", str(sum(map(any_annotations, sources.values())))),
        ("cycles, with imports for types", _counted(cycle_in(sources, PACKAGE_MODULES, True))),
        ("lines that call a caller he", str(len(persons(sources)))),
        ("classes that write out the supervisor's verbs", _counted(supervisors(sources))),
        ("modules of runtime without a test in memory", _counted(untested_in_memory(core))),
        ("lines of product code", str(sum(source.count("\n") for source in sources.values()))),
    ]


def _counted(names: Iterable[str]) -> str:
    listed = list(names)
    return f"{len(listed)}: {', '.join(listed)}" if listed else "0"


def main() -> None:
    """Print the table."""
    rows = figures()
    width = max(len(name) for name, _ in rows)
    for name, figure in rows:
        print(f"{name:{width}}  {figure}")


if __name__ == "__main__":
    main()
