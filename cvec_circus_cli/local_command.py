"""Commands that circusctl does alone: their words are read like those of a daemon's commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import CommandLine, HelpWanted, UsageError
from cvec_circus_cli.output import fail, fail_usage
from cvec_circus_cli.run_command import show_help
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import Command

    Act = Callable[[Settings, Mapping[str, Any]], int]
    """Does what was asked for, and returns the exit code."""


def run_locally(
    settings: Settings,
    words: Sequence[str],
    command: Command,
    act: Act,
    problems: tuple[type[Exception], ...],
) -> int:
    """Do what the words say, and return the exit code; ``problems`` are told, line by line."""
    line = CommandLine(command)
    try:
        [arguments] = line.read(words, settings.take)
        return act(settings, arguments)
    except HelpWanted:
        settings.take_json(words)
        return show_help(settings, [command.name])
    except UsageError as error:
        settings.take_json(words)
        return fail_usage(settings, error, line.usage())
    except problems as error:
        reason = api.visible(str(error))
        sentence = "\n".join(f"circusctl: {text}" for text in reason.split("\n"))
        return fail(settings, exit_codes.USAGE, reason, sentence)
