"""What a command is: one class in one file, found by entry point.

The daemon half is `execute`; all the rest is the circusctl half: how words become a request
(`compose`), what may stand on the line (`complete`), how a reply is printed (`show`, `tables`), and
what goes on until the user interrupts it (`follow`). Both halves live in one class, so that a
package which brings a command brings its command line, too: circusctl knows no command by name. A
command imports only `cvec_circus_core.api`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.extend.request import Request, properties

if TYPE_CHECKING:
    from cvec_circus_core.extend.ports import Supervisor
    from cvec_circus_core.extend.request import Prop
    from cvec_circus_core.extend.session import Piece, Questions, Session


HOSTS_REQUEST: tuple[str, Mapping[str, Any]] = ("fleet", {"act": "hosts"})
"""What a daemon is asked for the other hosts, their addresses and who of them is alive: a command
that a package brings, which knows them."""


class Table:
    """A table of a reply: titles, and rows of cells.

    A row may end early. The columns named in ``numbers`` are set to the right; words in a column
    STATE get the colour of the state. ``notes`` are sentences below rows, by the number of the row.
    """

    __slots__ = ("notes", "numbers", "rows", "titles")

    def __init__(
        self,
        titles: Sequence[str],
        rows: Sequence[Sequence[str]],
        numbers: Collection[str] = (),
        notes: Mapping[int, str] | None = None,
    ) -> None:
        self.titles = titles
        self.rows = rows
        self.numbers = numbers
        self.notes = notes or {}


class Command:
    """One command of the control channel.

    The docstring is its manual: the first line is the summary that ``circusctl help`` lists.
    """

    name: ClassVar[str] = ""
    request: ClassVar[type[Request]] = Request
    command_line: ClassVar[type[Request] | None] = None
    """What the command line takes, where that is not what the request takes; see `compose`."""
    acts: ClassVar[bool] = True
    """Whether it changes anything; a command that only reads says False."""
    for_operators: ClassVar[bool] = False
    """Whether only those may use it who may do everything, whatever it asks of the daemon."""
    over_hosts: ClassVar[str] = ""
    """Whether ``--fleet`` sends it to all hosts of a fleet: ``at once`` asks them all together,
    ``rolling`` some after the others, waits until each is done, and stops where one fails."""
    prompt: ClassVar[bool] = False
    """Whether it may begin without a task of its own, which is quicker: it never asks for the
    current task before it waits (`asyncio.timeout` and `asyncio.TaskGroup` do)."""
    ends_daemon: ClassVar[bool] = False
    """Whether the daemon ends by it, so that a connection that breaks is no surprise."""
    other_names: ClassVar[Mapping[str, str]] = {}
    """What other tools call it, and what is typed here instead, for who types their word."""
    nothing: ClassVar[str] = ""
    """What people are told where `show` has no line; in a pipe there is none then."""
    for_tables: ClassVar[Mapping[str, Any]] = {}
    """Properties that are added to the request where `tables` is going to show the reply."""

    async def execute(self, supervisor: Supervisor, request: Any) -> Mapping[str, Any]:
        """Do it in the daemon and return the keys of the reply.

        ``request`` is an instance of the class's request type. Any `CircusError` raised becomes the
        error reply. Immediate commands simply never await.
        """
        raise TypeError(f"command {self.name!r} does nothing")

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Turn what was given on the command line into the properties of the request.

        ``arguments`` holds a value per declared property that was given, of ``command_line`` where
        there is one, else of ``request``. Raises ValueError with a sentence for what can not be
        sent.
        """
        declared = {prop.name for prop in properties(self.request)}
        return {key: value for key, value in arguments.items() if key in declared}

    def is_failure(self, reply: Mapping[str, Any]) -> bool:
        """Tell whether a reply that is no error tells of a failure; circusctl ends with 3 then."""
        return False

    def question(self, properties: Mapping[str, Any]) -> str:
        """Return what the interactive shell asks before it sends this request; mostly nothing.

        ``properties`` are those of the request. For what would end more than it seems.
        """
        return ""

    def complete(self, prop: Prop, words: Sequence[str], questions: Questions) -> Iterable[str]:
        """Return what may stand for a property; ``words`` are those before it, without switches."""
        return prop.choices or questions.names_of(prop.names, words)

    def show(self, reply: Mapping[str, Any]) -> str:
        """Return the plain lines that circusctl prints for a reply that is no error."""
        return "ok"

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Return these lines where they stand among those about other watchers."""
        lines = self.show(reply).rstrip("\n").split("\n")
        return "\n".join(f"{name}: {line}" for line in lines)

    def show_failure(self, reply: Mapping[str, Any]) -> str:
        """Return what circusctl prints below the reason of a reply that is an error."""
        return ""

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Return what a terminal shows instead of `show`; none where plain lines serve better."""
        return ()

    def joined(self, replies: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Return one reply out of those about several watchers, by name, for one table of them all.

        None stands for a table or plain lines of each.
        """
        return None

    def follow(
        self,
        session: Session,
        arguments: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]],
    ) -> Iterator[Piece] | None:
        """Return what is printed, piece by piece until the user interrupts, instead of replies.

        None, where one reply a request is all. ``requests`` are the properties as `compose` has
        made them, one for each watcher that is meant. Raises ValueError as `compose` does; the
        iterator may raise CallError, and Refused for a reply that is an error.
        """
        return None
