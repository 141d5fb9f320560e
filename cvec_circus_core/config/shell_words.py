"""What only a shell understands, in a command line that no shell reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvec_circus_core.model.faults import Fault

_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL)
_OPERATOR = re.compile(r"(?:\|\|?|&&?|;)")
_REDIRECTION = re.compile(r"(?:\d?>>?|<|&>)(?:&\d)?(?:[\w./~-].*)?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")
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
    for word in words[1:]:
        if _OPERATOR.fullmatch(word) or _REDIRECTION.fullmatch(word):
            yield Fault("cmd", f"has {word!r}, which {_HINT}")
            break
    for word in words:
        if word == "~" or word.startswith("~/"):
            yield Fault("cmd", f"has {word!r}, where ~ is what {_HINT}")
            break
