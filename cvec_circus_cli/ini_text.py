"""What an importer has read, as the text of an ini file.

The dialect has no quotes of its own: white space and a semicolon begin a comment wherever they
stand, a line break goes on only where the next line is indented, and white space at both ends is
dropped. So a command line that holds these is quoted anew for the shell-like splitting that it goes
through, and a variable that holds them is handed over by ``env NAME=VALUE`` before the command.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from cvec_circus_core import api
from cvec_circus_core.api import Imported, ImportedSection, ImportProblem, SourceLine

_COMMENT_MARK = re.compile(r"(^|\s);")
_LOSS = "; ! "


def ini_text(imported: Imported, head: str) -> str:
    """Return the text. Raises ImportProblem for a value that no ini file can hold.

    A variable that can not be written becomes a loss of its section.
    """
    _hand_down(imported)
    for section in imported.watchers:
        _lose_unwritable(section)
    lines = [f"; {head}"]
    if imported.losses:
        mark = _LOSS.strip()
        lines.append(f'; What could not be carried over stands in lines that begin with "{mark}".')
    daemon = imported.daemon
    if daemon.options or daemon.losses or daemon.comments:
        lines += ["", *_section("circus", daemon)]
    if daemon.env:
        lines += ["", "[env]", *_variables(daemon.env)]
    for section in imported.sections:
        lines += ["", *_section(f"{section.kind}:{section.name}", section)]
        variables = {name: value for name, value in section.env.items() if _fits(value)}
        if variables:
            lines += ["", f"[env:{section.name}]", *_variables(variables)]
    return "\n".join(lines) + "\n"


def _hand_down(imported: Imported) -> None:
    """Give each watcher the common variables that can not stand in the section [env]."""
    common = imported.daemon.env
    hard = {name: value for name, value in common.items() if not _fits(value)}
    for name, value in hard.items():
        del common[name]
        for watcher in imported.watchers:
            watcher.env.setdefault(name, value)


def _lose_unwritable(section: ImportedSection) -> None:
    for name, value in list(section.env.items()):
        if not _fits(value) and not _is_holdable(f"{value}'"):
            del section.env[name]
            origin = SourceLine(section.name, key=name)
            section.lose(origin, "this variable has spaces or lines that no ini file can hold")


def _section(title: str, section: ImportedSection) -> Iterator[str]:
    yield f"[{title}]"
    yield from (f"; {' '.join(comment.split())}" for comment in section.comments)
    for key, value in _options(section):
        if not (_is_holdable(value) and (key == "cmd" or _fits(value))):
            option = f"[{title}] {key}"
            raise ImportProblem(f"{option} can not be written: no ini file can hold {value!r}")
        text = value.replace("\n", "\n    ")
        yield f"{key} = {text}" if text else f'{key} = ""'
    yield from (f"{_LOSS}{api.visible(str(loss))}" for loss in section.losses)


def _options(section: ImportedSection) -> Iterator[tuple[str, str]]:
    hard = {name: value for name, value in section.env.items() if not _fits(value)}
    must_quote = bool(hard) or not _fits(section.options.get("cmd", ""))
    is_shell = section.options.get("shell") == "yes"
    for key, value in section.options.items():
        if key == "cmd" and must_quote:
            words = ["/bin/sh", "-c", value.strip()] if is_shell else split(value)
            yield key, command_line([*_handed_over(hard), *words])
        elif not (key == "shell" and must_quote):
            yield key, value


def _handed_over(variables: dict[str, str]) -> list[str]:
    words = [f"{name}={value.replace('$$', '$')}" for name, value in variables.items()]
    return ["/usr/bin/env", *words] if words else []


def split(text: str) -> list[str]:
    """Split a command line. Raises ImportProblem where its quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ImportProblem(f"the command {text!r} can not be split: {error}") from None


def command_line(words: Iterable[str]) -> str:
    """Return words as a command line that an ini file can hold."""
    # shlex quotes whatever holds a semicolon, so closing and opening the quotes keeps the word.
    return re.sub(r"(\s);", r"\1'';", shlex.join(words))


def _fits(value: str) -> bool:
    """Tell whether a value can be written as it is, in one line."""
    return value == value.strip() and "\n" not in value and not _COMMENT_MARK.search(value)


def _is_holdable(value: str) -> bool:
    """Tell whether a value can be written in lines that go on, which lose their indentation."""
    return (
        not {"\0", "\r"} & {*value} and all(line.strip() for line in value.split("\n"))
        if value
        else True
    )


def _variables(variables: dict[str, str]) -> Iterator[str]:
    # Without a space: a line whose first word is REM is a comment.
    return (f"{name}={value}" if value else f'{name}=""' for name, value in variables.items())
