"""What a command is: one class in one file, found by entry point.

The daemon half is `execute`; the circusctl half is `compose` and `show`. Both halves live in one
class, so that a package which brings a command brings its command line, too. A command imports only
`cvec_circus_core.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.extend.request import Request, properties

if TYPE_CHECKING:
    from cvec_circus_core.extend.ports import Supervisor


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
    prompt: ClassVar[bool] = False
    """Whether it may begin without a task of its own, which is quicker: it never asks for the
    current task before it waits (`asyncio.timeout` and `asyncio.TaskGroup` do)."""
    nothing: ClassVar[str] = ""
    """What people are told where `show` has no line; in a pipe there is none then."""

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
        known = {one.name for one in properties(self.request)}
        return {key: value for key, value in arguments.items() if key in known}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Return the plain lines that circusctl prints for a reply that is no error."""
        return "ok"

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Return these lines where they stand among those about other watchers."""
        lines = self.show(reply).rstrip("\n").split("\n")
        return "\n".join(f"{name}: {line}" for line in lines)
