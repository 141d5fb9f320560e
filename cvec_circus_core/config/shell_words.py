"""What only a shell understands, in a command line that no shell reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cvec_circus_core.model.faults import Fault

_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL)
_OPERATOR = re.compile(r"\|\|?|&&?|;")
_GLUED_OPERATOR = re.compile(r"\|\|?|&&|;$")
"""Also without blanks around it; a single & and a ; in the middle are usual in addresses."""
_REDIRECTION = re.compile(r"(?:\d?>>?|<|&>)(?:&\d)?(?:[\w./~-].*)?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")
_SUBSTITUTION = re.compile(r"`[^`]*`?|\$\((?!circus\.)[^)]*\)?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?!WID\b)(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*[^}]*\}?)")
_PATTERN = re.compile(r"[\w./-]*[*?][\w./*?-]*")
_PATH = re.compile(r"[./]")
_HINT = "only a shell understands (shell = yes)"


def shell_doubts(cmd: str) -> Iterator[Fault]:
    """Find it in a command line that is split into words and run as it is."""
    # What is quoted is meant as it is; a letter holds its place.
    unquoted = _QUOTED.sub("q", cmd)
    if "'" in unquoted or '"' in unquoted:
        return  # which is a fault of its own
    words = unquoted.split()
    if words and _ASSIGNMENT.fullmatch(words[0]):
        name = words[0].partition("=")[0]
        yield Fault("cmd", f"begins with {name}=, which {_HINT}; env gives variables")
    if (operator := next(filter(None, map(_operator, words)), "")) and len(words) > 1:
        yield Fault("cmd", f"has {operator!r}, which {_HINT}")
    if match := _SUBSTITUTION.search(unquoted):
        yield Fault("cmd", f"has {match.group()!r}, which {_HINT}")
    if match := _VARIABLE.search(unquoted):
        name = match.group().strip("${}")
        sentence = f"has {match.group()!r}, which {_HINT}; $(circus.env.{name}) works without one"
        yield Fault("cmd", sentence)
    for sign, is_such in (("~", _is_home), ("* or ?", _is_pattern)):
        if word := next(filter(is_such, words), ""):
            yield Fault("cmd", f"has {word!r}, where {sign} is what {_HINT}")


def args_doubts(words: Iterable[str]) -> Iterator[Fault]:
    """Find it in words that are arguments as they are."""
    if word := next((word for word in words if _is_operator(word)), ""):
        yield Fault("args", f"has {word!r}, which {_HINT}")


def _is_operator(word: str) -> bool:
    return bool(_OPERATOR.fullmatch(word) or _REDIRECTION.fullmatch(word))


def _operator(word: str) -> str:
    """Return what a word has of an operator between commands or to files."""
    if _is_operator(word):
        return word
    return match.group() if (match := _GLUED_OPERATOR.search(word)) else ""


def _is_home(word: str) -> bool:
    return word == "~" or word.startswith("~/")


def _is_pattern(word: str) -> bool:
    """Tell whether a word looks like a pattern of files: ``*.py``, ``logs/*``."""
    is_pattern = word[0] != "-" and _PATTERN.fullmatch(word)
    return bool(is_pattern and _PATH.search(word))
