"""On which hosts: ``zone == "a" and disk == "ssd"``, a condition on the labels of a host.

Read by Python's own parser, and then only comparisons of labels with texts, ``in`` a list of texts,
``and``, ``or``, ``not`` and parentheses are taken. A label that a host does not have is the empty
text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST = 1000
"""Characters of a condition."""

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]


@dataclass(frozen=True)
class Condition:
    """A condition that was read; `text` is how it was written, and the empty one always holds."""

    text: str = ""
    _test: Test = field(default=lambda labels: True, repr=False, compare=False)

    def holds(self, labels: Labels) -> bool:
        """Tell whether a host with these labels is meant."""
        return self._test(labels)


EVERYWHERE = Condition()
"""Holds for every host."""


def read_condition(text: str) -> Condition:
    """Read a condition. Raises ValueError with what is wrong with it."""
    if not text.strip():
        return EVERYWHERE
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError('isn\'t a condition such as zone == "a"') from None
    return Condition(text.strip(), _test_of(tree.body))


def _test_of(node: ast.expr) -> Test:
    match node:
        case ast.BoolOp(ast.And(), values):
            tests = [_test_of(value) for value in values]
            return lambda labels: all(test(labels) for test in tests)
        case ast.BoolOp(ast.Or(), values):
            tests = [_test_of(value) for value in values]
            return lambda labels: any(test(labels) for test in tests)
        case ast.UnaryOp(ast.Not(), operand):
            test = _test_of(operand)
            return lambda labels: not test(labels)
        case ast.Compare(ast.Name(label), [operator], [other]):
            return _comparison(label, operator, other)
        case _:
            raise ValueError(f"has {ast.unparse(node)!r}, which compares no label with a text")


def _comparison(label: str, operator: ast.cmpop, other: ast.expr) -> Test:
    match operator, other:
        case ast.Eq(), ast.Constant(str(text)):
            return lambda labels: labels.get(label, "") == text
        case ast.NotEq(), ast.Constant(str(text)):
            return lambda labels: labels.get(label, "") != text
        case ast.In(), ast.List(items) | ast.Tuple(items) | ast.Set(items):
            texts = _texts(label, items)
            return lambda labels: labels.get(label, "") in texts
        case ast.NotIn(), ast.List(items) | ast.Tuple(items) | ast.Set(items):
            texts = _texts(label, items)
            return lambda labels: labels.get(label, "") not in texts
        case _:
            raise ValueError(
                f"compares {label} by something else than ==, !=, in, not in and a text in quotes: "
                f'{label} == "a"'
            )


def _texts(label: str, items: list[ast.expr]) -> frozenset[str]:
    texts = [item.value for item in items if isinstance(item, ast.Constant)]
    if len(texts) != len(items) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"compares {label} with a list that has more than texts in quotes")
    return frozenset(str(text) for text in texts)


def equalities(condition: Condition) -> Mapping[str, str] | None:
    """Return what labels have to be, where a condition is made of ``==`` and ``and`` alone."""
    if not condition.text:
        return {}
    tree = ast.parse(condition.text, mode="eval").body
    parts = tree.values if isinstance(tree, ast.BoolOp) else [tree]
    if isinstance(tree, ast.BoolOp) and not isinstance(tree.op, ast.And):
        return None
    labels: dict[str, str] = {}
    for part in parts:
        match part:
            case ast.Compare(ast.Name(label), [ast.Eq()], [ast.Constant(str(value))]):
                if labels.setdefault(label, value) != value:
                    return None
            case _:
                return None
    return labels
