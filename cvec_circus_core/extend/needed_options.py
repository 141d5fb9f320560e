"""Which options the constructor of a class can not do without, told by its text.

Classes for the older system take everything as ``**config`` and read ``config["url"]``: a signature
says nothing of that. What is read on a way that is not always gone is not counted.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def missing_options(maker: Callable[..., Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options that the constructor of a class reads whether they are there or not."""
    constructor = getattr(maker, "__init__", None)
    if not inspect.isfunction(constructor):
        return ()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(constructor)))
    except (ImportError, OSError, SyntaxError, TypeError):
        return ()
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef) or definition.args.kwarg is None:
        return ()
    mapping = definition.args.kwarg.arg
    if _is_written(definition, mapping):
        return ()
    names = dict.fromkeys(_read(definition, mapping))
    return tuple(name for name in names if name not in options)


def _is_written(definition: ast.FunctionDef, mapping: str) -> bool:
    """Tell whether defaults may be put into a mapping before it is read."""
    for node in ast.walk(definition):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if name == mapping:
                return True
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()) if name == mapping:
                return True
            case ast.Attribute(value=ast.Name(id=name), attr="setdefault" | "update"):
                if name == mapping:
                    return True
    return False


def _read(definition: ast.FunctionDef, mapping: str) -> Iterator[str]:
    plain = (ast.Assign, ast.AnnAssign, ast.Expr)
    for statement in definition.body:
        if not isinstance(statement, plain) or statement.value is None:
            continue
        for node in _always_evaluated(statement.value):
            match node:
                case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))):
                    if name == mapping:
                        yield key
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="pop"),
                    args=[ast.Constant(value=str(key))],
                ):
                    if name == mapping:
                        yield key


def _always_evaluated(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    sometimes = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.GeneratorExp, ast.ListComp, ast.DictComp)
    if not isinstance(node, sometimes):
        for child in ast.iter_child_nodes(node):
            yield from _always_evaluated(child)
