"""From a request to its command, and from whatever happens to a reply.

All errors become replies here, and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.ports import Supervisor
from cvec_circus_core.model.access import Caller
from cvec_circus_core.model.errors import CircusError, Errno, UnknownCommand
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.model.shortages import shortage_of
from cvec_circus_core.model.text import visible
from cvec_circus_core.requests.admission import admitted
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.behalf import on_behalf
from cvec_circus_core.requests.properties import convert

log = logging.getLogger(__name__)


class Dispatcher:
    """Runs commands by name, for those who may."""

    def __init__(
        self, commands: Mapping[str, Command], supervisor: Supervisor, audit: Audit
    ) -> None:
        self._commands = commands
        self._supervisor = supervisor
        self._audit = audit

    def is_prompt(self, message: RequestMessage) -> bool:
        """Tell whether a request may begin without a task."""
        command = self._commands.get(message.command)
        return command is not None and command.prompt

    async def answer(self, message: RequestMessage, caller: Caller) -> Reply:
        """Run the command that a request names, and return its reply."""
        caller = on_behalf(caller, message)
        command = self._commands.get(message.command)
        reply = await self._reply(command, message, caller)
        self._audit.tell(caller, message, reply, acts=command is not None and command.acts)
        if message.cast and isinstance(reply, Failure):
            self._audit.tell_cast_failed(caller, message, reply)
        return reply

    async def _reply(
        self, command: Command | None, message: RequestMessage, caller: Caller
    ) -> Reply:
        try:
            if command is None:
                raise UnknownCommand(message.command)
            supervisor = admitted(self._supervisor, caller, command)
            request = convert(command.request, message.properties)
            return Success(await command.execute(supervisor, request))
        except Exception as error:
            return failure_of(error, message.command)


def failure_of(error: Exception, command: str) -> Failure:
    """Return the reply that an exception becomes."""
    if isinstance(error, CircusError):
        return Failure(visible(error.reason), error.errno, more=error.details)
    if isinstance(error, OSError):
        return Failure(visible(str(error)), Errno.OS_ERROR)
    if sentence := shortage_of(error):
        return Failure(sentence, Errno.OS_ERROR)
    log.exception("command %s failed unexpectedly", command, exc_info=error)
    sentence = f"unexpected {type(error).__name__}: {error}"
    return Failure(visible(sentence), Errno.COMMAND_ERROR)
