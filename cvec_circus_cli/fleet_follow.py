"""What goes on at all hosts of a fleet: events, and output as it comes.

Each host is followed in a thread of its own; what comes is printed with the host's name before it.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from cvec_circus_cli import exit_codes
from cvec_circus_cli.output import complain, is_unknown_watcher, refusal
from cvec_circus_cli.requests import Connection
from cvec_circus_cli.session import CommandSession, print_pieces
from cvec_circus_core import api
from cvec_circus_core.api import Command, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_cli.fleet_hosts import Expand, FleetHost
    from cvec_circus_cli.settings import Settings


class _End(NamedTuple):
    """A host has nothing more to tell."""

    host: str
    code: int
    sentence: str = ""
    is_absent: bool = False
    """Whether it only does not run what was asked for."""


_Pieces = queue.SimpleQueue["Piece | _End | None"]


def follow_hosts(
    settings: Settings,
    command: Command,
    arguments: Mapping[str, Any],
    hosts: Sequence[FleetHost],
    expand: Expand,
) -> int | None:
    """Print what comes from all hosts until interrupted; None where the command does not follow.

    Returns the worst exit code.
    """
    pieces: _Pieces = queue.SimpleQueue()
    for host in hosts:
        threading.Thread(
            target=_follow, args=(host, command, arguments, expand, pieces), daemon=True
        ).start()
    first = pieces.get()
    if first is None:
        return None
    ends: list[_End] = []
    code = print_pieces(settings, command, _merged(first, pieces, len(hosts), ends))
    return max([code, *(end.code for end in ends)])


def _follow(
    host: FleetHost,
    command: Command,
    arguments: Mapping[str, Any],
    expand: Expand,
    pieces: _Pieces,
) -> None:
    if host.settings is None:
        pieces.put(_End(host.name, exit_codes.NO_ANSWER, f"circusctl: {host.name} {host.trouble}"))
        return
    connection = Connection(host.settings)
    name = ""
    try:
        messages, _ = expand(connection)
        name = str(messages[0].get("name")) if messages else ""
        session = CommandSession(host.settings, connection)
        following = command.follow(session, arguments, messages)
        if following is None:
            pieces.put(None)
            return
        head = f"{host.name}: ".encode()
        for piece in following:
            data = b"".join(
                head + line + b"\n" for line in piece.data.removesuffix(b"\n").split(b"\n")
            )
            pieces.put(api.Piece({"host": host.name, **piece.content}, data))
        pieces.put(_End(host.name, exit_codes.OK))
    except api.Refused as error:
        sentence = f"error: {host.name}: {refusal(error.reply, name)}"
        is_absent = is_unknown_watcher(error.reply, name)
        pieces.put(_End(host.name, exit_codes.REFUSED, sentence, is_absent))
    except Exception as error:
        sentence = f"circusctl: {host.name}: {error}"
        pieces.put(_End(host.name, exit_codes.NO_ANSWER, sentence))
    finally:
        connection.close()


def _merged(
    first: Piece | _End, pieces: _Pieces, running: int, ends: list[_End]
) -> Iterator[Piece]:
    """Yield the pieces of all hosts; tell of hosts that have ended, and note how."""
    absent: list[_End] = []
    piece: Piece | _End | None = first
    while True:
        match piece:
            case _End(is_absent=True):
                absent.append(piece)
            case _End():
                ends.append(piece)
                if piece.sentence:
                    complain(piece.sentence)
            case None:
                raise AssertionError("some hosts follow and others do not")
            case _:
                yield piece
        if len(absent) + len(ends) == running:
            break
        piece = pieces.get()
    if len(absent) == running:
        # Nobody runs it, so that it is no matter of one host.
        ends.extend(absent)
        for end in absent:
            complain(end.sentence)
