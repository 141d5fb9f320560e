"""YAML and JSON as values that know the line they stand on, and a reader of their keys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import ImportedSection, ImportProblem, SourceLine

if TYPE_CHECKING:
    import yaml


class Lines(dict[Any, Any]):
    """An object whose keys know their line."""

    lines: dict[Any, int]


def read_tree(path: str, text: str, *, lines: bool = True) -> Any:
    """Read YAML, or JSON, which is a part of it. Raises `ImportProblem`.

    Without ``lines`` the text is not the file's own, and its lines are not told.
    """
    try:
        import yaml
    except ImportError:
        sentence = "reading it needs PyYAML: pip install 'cvec-circus[import]'"
        raise ImportProblem(sentence, SourceLine(path)) from None

    class Loader(yaml.SafeLoader):
        """SafeLoader, with lines, and without dates: those stay texts."""

    if lines:
        Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
    as_text = yaml.SafeLoader.construct_yaml_str
    Loader.add_constructor("tag:yaml.org,2002:timestamp", as_text)  # type: ignore[type-var]
    try:
        # JSON may be indented with tabs. No string of JSON has a raw one.
        is_json = text.lstrip()[:1] in ("{", "[")
        # Loader is a SafeLoader.
        return yaml.load(text.replace("\t", " ") if is_json else text, Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        origin = SourceLine(path, mark.line + 1 if mark else None)
        raise ImportProblem(f"can not be read: {error.problem or error.context}", origin) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or "it is nested too deeply"
        raise ImportProblem(f"can not be read: {reason}", SourceLine(path)) from None


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Iterator[Lines]:
    mapping = Lines()
    mapping.lines = {}
    yield mapping
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        try:
            mapping[key] = loader.construct_object(value_node, deep=True)
        except TypeError:
            raise ValueError(f"line {key_node.start_mark.line + 1}: a key is a list") from None
        mapping.lines[key] = key_node.start_mark.line + 1


@dataclass(slots=True)
class Node:
    """One object of the file: keys are taken one by one, and what is left was not understood."""

    path: str
    name: str
    values: dict[str, Any]
    unread: set[str] = field(init=False)

    def __post_init__(self) -> None:
        """Check that it is an object. Raises `ImportProblem`."""
        if not isinstance(self.values, dict):
            raise ImportProblem(
                f"is no object: {self.values!r}", SourceLine(self.path, key=self.name)
            )
        self.unread = {str(key) for key in self.values}

    def origin(self, key: str) -> SourceLine:
        """Return where a key stands."""
        lines = getattr(self.values, "lines", {})
        return SourceLine(self.path, lines.get(key), f"{self.name}.{key}" if self.name else key)

    def take(self, *keys: str) -> Any:
        """Return the value of the first of these keys that is there, or None."""
        self.unread.difference_update(keys)
        return next((self.values[key] for key in keys if self.values.get(key) is not None), None)

    def text(self, *keys: str) -> str:
        """Return a text; a number is one, too. Raises `ImportProblem`."""
        value = self.take(*keys)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)
        raise self.problem(keys[0], f"is no text: {value!r}")

    def number(self, *keys: str) -> float | None:
        """Return a number of at least 0, or None. Raises `ImportProblem`."""
        value = self.take(*keys)
        if value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number < math.inf:
            raise self.problem(keys[0], f"is no number that can be used: {value!r}")
        return number

    def boolean(self, key: str) -> bool | None:
        """Return a boolean, or None. Raises `ImportProblem`."""
        value = self.take(key)
        if value is None or isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise self.problem(key, f"is neither true nor false: {value!r}")

    def node(self, key: str) -> Node:
        """Return the object under a key; an empty one where there is none."""
        value = self.take(key)
        return Node(self.path, self.origin(key).key, {} if value is None else value)

    def problem(self, key: str, sentence: str) -> ImportProblem:
        """Return what is wrong with a key."""
        return ImportProblem(sentence, self.origin(key))


def seconds_text(seconds: float) -> str:
    """Return seconds as an ini file has them."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def scalar_text(value: object) -> str | None:
    """Return the value of a variable as a process sees it; None for what is no scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return str(value) if isinstance(value, str | int | float) else None


def count_from_zero(section: ImportedSection, starts: Mapping[str, str]) -> None:
    """Give each process variables that count from a start on, beside its command.

    The first of ours is 1, and only a shell counts.
    """
    words = [f"{name}=$(expr {start} + $(circus.wid) - 1)" for name, start in starts.items()]
    section.options["cmd"] = " ".join([*words, "exec", section.options["cmd"]])
    section.options["shell"] = "yes"
