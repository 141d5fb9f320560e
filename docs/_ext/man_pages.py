"""Writes the manual pages of all programs, from what the programs themselves know of their options.

    python docs/_ext/man_pages.py [FOLDER]

They lie in docs/man, and the wheel installs them as share/man/man1. A test says when they are old.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from cvec_circus_cli.installed import OF_CIRCUSCTL
from cvec_circus_cli.manual import manual, own_manual
from cvec_circus_cli.settings import SWITCHES, VALUES

MAN = Path(__file__).resolve().parent.parent / "man"
PROGRAMS = {
    "circusd": "circusd",
    "circus-plugin": "circus_plugin",
    "circus-top": "circus_top",
    "circusd-stats": "circusd_stats",
    "circushttpd": "circushttpd",
}
"""The programs whose options argparse reads, and their modules."""
OTHER_NAMES = {
    "circusd": "cvec_circusd",
    "circusctl": "cvec_circusctl",
    "circus-plugin": "cvec_circus-plugin",
    "circus-top": "cvec_circus-top",
    "circusd-stats": "cvec_circusd-stats",
    "circushttpd": "cvec_circus-httpd",
}
EXITS = {
    "circusd": {
        0: "it ended as it was told to",
        1: "it could not start or run, or the file has mistakes",
        2: "wrong use of the command line",
    },
    "circusctl": {
        0: "done",
        1: "no answer",
        2: "not understood",
        3: "refused by the daemon",
        4: "waited for, but the daemon is still at work",
    },
}


def pages() -> dict[str, str]:
    """Return every page by the name of its file."""
    texts = {f"{name}.1": _of_parser(name, module) for name, module in PROGRAMS.items()}
    texts["circusctl.1"] = _of_circusctl()
    for name, other in OTHER_NAMES.items():
        texts[f"{other}.1"] = f".so man1/{name}.1\n"
    return texts


def _of_parser(name: str, module: str) -> str:
    parser: argparse.ArgumentParser = import_module(f"cvec_circus_cli.{module}")._parser()
    lines = [*_head(name, parser.description or ""), ".SH SYNOPSIS", *_synopsis(parser)]
    lines += [".SH DESCRIPTION", *_paragraphs(parser.description or "")]
    for group in parser._action_groups:
        actions = [each for each in group._group_actions if each.help is not argparse.SUPPRESS]
        if actions:
            lines.append(f".SH {_escaped((group.title or 'options').upper())}")
            for action in actions:
                lines += [".TP", f".B {_escaped(_spelled(action))}", *_told(parser, action)]
    if parser.epilog:
        lines += [".SH NOTES", ".nf", *_literal(parser.epilog), ".fi"]
    return "\n".join([*lines, *_tail(name)]) + "\n"


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or (action.dest if not action.option_strings else action.dest.upper())
    if isinstance(value, tuple):
        value = " ".join(value)
    if action.choices is not None and not action.metavar:
        value = "|".join(map(str, action.choices))
    if not action.option_strings:
        return value
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {value}"


def _told(parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[str]:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    yield from _paragraphs(text)


def _synopsis(parser: argparse.ArgumentParser) -> Iterator[str]:
    words = [action for action in parser._actions if not action.option_strings]
    names = " ".join(f"[{_spelled(action)}]" for action in words)
    yield f".B {_escaped(parser.prog)}"
    yield _escaped(f"[options] {names}".strip())


def _of_circusctl() -> str:
    summary = "command a running daemon"
    lines = [*_head("circusctl", summary), ".SH SYNOPSIS", ".B circusctl"]
    lines += ["[options] [command [arguments]]", ".SH DESCRIPTION"]
    lines += _paragraphs(
        "Commands a running daemon. Without a command, an interactive shell starts."
    )
    lines.append(".SH OPTIONS")
    options = {f"{name} {value}": text for name, (value, text) in VALUES.items()} | SWITCHES
    for name, text in options.items():
        lines += [".TP", f".B {_escaped(name)}", *_paragraphs(text)]
    lines.append(".SH COMMANDS")
    for name, text in sorted(_manuals().items()):
        lines += [f".SS {_escaped(name)}", ".nf", *_literal(text), ".fi"]
    lines += [".SH ENVIRONMENT", ".TP", ".B CIRCUSCTL_ENDPOINT"]
    lines += _paragraphs("where the daemon is, unless --endpoint says it")
    return "\n".join([*lines, *_tail("circusctl")]) + "\n"


def _manuals() -> Mapping[str, str]:
    texts = {name: own_manual(name) or "" for name in OF_CIRCUSCTL}
    # Those of the source, whatever is installed.
    declared = tomllib.loads((MAN.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    for name, value in declared["project"]["entry-points"]["cvec_circus.commands"].items():
        module, _, attribute = value.partition(":")
        texts[name] = manual(getattr(import_module(module), attribute)())
    return texts


def _head(name: str, summary: str) -> Iterator[str]:
    yield f'.TH {_escaped(name.upper())} 1 "" "cvec_circus" "User Commands"'
    yield ".SH NAME"
    sentence = summary.rstrip(".")
    yield f"{_escaped(name)} \\- {_escaped(sentence[:1].lower() + sentence[1:])}"


def _tail(name: str) -> Iterator[str]:
    if exits := EXITS.get(name):
        yield ".SH EXIT STATUS"
        for code, meaning in exits.items():
            yield from (".TP", f".B {code}", _escaped(meaning))
    yield ".SH SEE ALSO"
    others = sorted(other for other in OTHER_NAMES if other != name)
    yield ", ".join(f"\\fB{_escaped(other)}\\fR(1)" for other in others)


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _literal(text: str) -> Iterable[str]:
    return (_escaped(line.rstrip()) for line in text.strip("\n").splitlines())


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else MAN
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
