"""Commands in the older shape: those that are installed, and those that a program brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from inspect import isawaitable
from typing import Any, ClassVar

from circus.exc import ArgumentError, MessageError
from cvec_circus_cli.arguments import CommandLine, UsageError
from cvec_circus_core.api import Command as _Command, Request, properties as _properties
from cvec_circus_core.extend.registry import load_commands


def ok(props: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a reply that says that it went well."""
    return {"status": "ok", **(props or {})}


def error(reason: str = "unknown", tb: str | None = None, errno: int = 0) -> dict[str, Any]:
    """Return a reply that says why not."""
    return {"status": "error", "reason": reason, "tb": tb, "errno": errno}


class Command:
    """A command of a program's own: its subclasses are known by name as soon as they are there.

    An arbiter of `circus.arbiter` answers them by ``execute``.
    """

    name: ClassVar[str] = ""
    properties: Sequence[str] = ()
    options: Sequence[Sequence[Any]] = ()
    msg_type = "dealer"
    waiting = False

    own: ClassVar[dict[str, type[Command]]] = {}

    def __init_subclass__(cls, **_: object) -> None:
        super().__init_subclass__()
        if cls.name:
            Command.own[cls.name.lower()] = cls

    def make_message(self, **props: object) -> dict[str, Any]:
        """Return a request of this command."""
        name = props.pop("command", self.name)
        return {"command": name, "properties": props}

    def message(self, *args: str, **opts: object) -> dict[str, Any]:
        """Return the request that words of a command line mean. Raises `ArgumentError`."""
        raise NotImplementedError(f"{type(self).__name__} has no message()")

    def execute(self, arbiter: object, props: dict[str, Any]) -> object:
        """Do it, in the daemon."""
        raise NotImplementedError(f"{type(self).__name__} has no execute()")

    def console_error(self, msg: Mapping[str, Any]) -> str:
        """Return what is printed for an error."""
        return f"error: {msg.get('reason')}"

    def console_msg(self, msg: Mapping[str, Any]) -> str:
        """Return what is printed for a reply."""
        return "ok" if msg.get("status") == "ok" else self.console_error(msg)

    def validate(self, props: Mapping[str, Any]) -> None:
        """Refuse a request that lacks something. Raises `MessageError`."""
        for name in self.properties:
            if name not in props:
                raise MessageError(f"message invalid {name!r} is missing")

    def copy(self) -> Command:
        """Return another one of the same kind."""
        return copy(self)


class Installed(Command):
    """A command that is installed, in the older shape."""

    def __init__(self, command: _Command) -> None:
        self._command = command
        self.name = command.name  # type: ignore[misc] # one class stands for all of them
        declared = _properties(command.request)
        self.properties = [prop.name for prop in declared if prop.required]
        self.options = [
            ("", prop.name, prop.default, prop.help) for prop in declared if not prop.positional
        ]

    def message(self, *args: str, **opts: object) -> dict[str, Any]:
        """Return the request that words of a command line mean. Raises `ArgumentError`."""
        switches = [
            f"--{name.replace('_', '-')}" if value is True else f"--{name}={value}"
            for name, value in opts.items()
            if value not in (None, False, "")
        ]
        try:
            requests = CommandLine(self._command).read([*map(str, args), *switches])
            return self.make_message(**self._command.compose(requests[0]))
        except (UsageError, ValueError) as error:
            raise ArgumentError(str(error)) from None

    def console_msg(self, msg: Mapping[str, Any]) -> str:
        """Return what is printed for a reply."""
        is_error = msg.get("status") == "error"
        return self.console_error(msg) if is_error else self._command.show(msg)


def get_commands() -> dict[str, Command]:
    """Return a command of each name."""
    installed: dict[str, Command] = {
        name: Installed(command) for name, command in load_commands().items()
    }
    return installed | {name: command() for name, command in Command.own.items()}


class _Anything(Request):
    open_ended = True


class Answered(_Command):
    """A program's own command, as the daemon runs it."""

    request = _Anything

    def __init__(self, command: Command, arbiter: object) -> None:
        self._own_command, self._arbiter = command, arbiter

    async def execute(self, supervisor: object, request: Request) -> Mapping[str, Any]:
        """Do it in the daemon."""
        props = dict(request.rest)
        self._own_command.validate(props)
        reply = self._own_command.execute(self._arbiter, props)
        if isawaitable(reply):
            reply = await reply
        return dict(reply) if isinstance(reply, Mapping) else {}


def answered(arbiter: object) -> dict[str, _Command]:
    """Return the commands of a program's own for its arbiter."""
    return {name: Answered(command(), arbiter) for name, command in Command.own.items()}
