"""Whether a process has ended because its address is in use, and who holds that.

What a process has written is asked first: it may name the error, and the port. The kernel is asked
then: whether the processes that are to be replaced listen at that port, or somebody else does, who
will not go for this one. A process that has said nothing at all is taken to have met an old one
that listens at a port which its own command names, too.

Processes of other watchers may be about to go as well: two watchers that exchange their ports hold
each other up, and a port that has moved is free when its last owner has let it go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.text import escaped
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.port_moves import numbers_in, ports_named_by
from cvec_circus_core.system.net.port_holders import holder_of, ports_of, words_of

_IN_USE = re.compile(
    rb"(address|addr|port)\b.{0,60}\b(in use|taken|occupied)\b|\bEADDRINUSE\b|\[errno (98|48)\]",
    re.IGNORECASE,
)
"""How programs say it: the text of the C library, that of common servers, the name of the error, or
its number in Python, on Linux and on macOS."""
_ERRNOS = {98, 48}
_LONGEST_NAME = 40


class AddressConflict(Struct, frozen=True):
    """What is known of the address of a process that has ended."""

    is_with_old: bool = False
    """Whether one that is to be replaced holds it, as far as can be told."""
    is_with_leaving: bool = False
    """Whether a process of another watcher holds it that is about to go."""
    holder: str | None = None
    """Who else holds it."""


NO_CONFLICT = AddressConflict()


class Kernel(Struct, frozen=True):
    """What the kernel is asked."""

    ports_of: Callable[[Iterable[int]], frozenset[int]] = field(default=ports_of)
    holder_of: Callable[[int], int | None] = field(default=holder_of)
    words_of: Callable[[int], tuple[str, ...]] = field(default=words_of)


KERNEL = Kernel()


class GoingPids(Struct, frozen=True):
    """The processes that are about to go when another one has ended."""

    old: Collection[int] | None = ()
    """Those that it is to replace; None where nothing is being replaced."""
    leaving: Callable[[], Collection[int]] = tuple
    """Returns those of all watchers; asked only where it may matter."""


def conflict_of(
    output: bytes, spec: WatcherSpec, going: GoingPids, kernel: Kernel = KERNEL
) -> AddressConflict:
    """Judge the end of a process by the last that it wrote, and by who is about to go."""
    lines = [line for line in output.split(b"\n") if _IN_USE.search(line)]
    if not lines and (output.strip() or going.old is None):
        return NO_CONFLICT
    old = going.old or ()
    leaving = frozenset(going.leaving()) - frozenset(old)
    old_ports = kernel.ports_of(old) if old else frozenset()
    leaving_ports = kernel.ports_of(leaving) if leaving else frozenset()
    if not lines:
        if _would_meet(spec, old, old_ports, kernel):
            return AddressConflict(is_with_old=True)
        return AddressConflict(is_with_leaving=bool(leaving_ports & ports_named_by(spec)))
    named = numbers_in(b"\n".join(lines).decode(errors="replace")) - _ERRNOS
    if old_ports & named:
        return AddressConflict(is_with_old=True)
    if leaving_ports & named:
        return AddressConflict(is_with_leaving=True)
    for port in sorted(named):
        pid = kernel.holder_of(port)
        if pid is not None:
            name = escaped(os.path.basename((kernel.words_of(pid) or ("",))[0]), _LONGEST_NAME)
            return AddressConflict(holder=f"port {port} is held by process {pid} ({name})")
    return AddressConflict(is_with_old=bool(old) or not leaving, is_with_leaving=bool(leaving))


def _would_meet(
    spec: WatcherSpec, old: Collection[int], old_ports: frozenset[int], kernel: Kernel
) -> bool:
    """Tell whether a command would listen where the old processes do."""
    if not old_ports:
        return False
    words = spec.command_words
    if ports_named_by(spec) & old_ports:
        return True
    lines = [kernel.words_of(pid) for pid in old]
    if any(numbers_in(" ".join(line)) & old_ports for line in lines):
        return False
    program = os.path.basename(words[0]) if words else ""
    return any(line and os.path.basename(line[0]) == program for line in lines)
