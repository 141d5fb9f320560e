"""What circusctl tells about itself and its commands."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

from cvec_circus_cli.arguments import ALSO_CALLED, CommandLine, slot_name, switch_text
from cvec_circus_cli.installed import OF_CIRCUSCTL, summaries
from cvec_circus_cli.settings import SWITCHES, VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cvec_circus_core.api import Command, Prop

USAGE = "usage: circusctl [options] [command [arguments]]"


def overview() -> str:
    """Return the list of options and commands."""
    options = [(f"{name} {value}", help) for name, (value, help) in VALUES.items()]
    options += SWITCHES.items()
    options += [("--version", "print the version"), ("--help [COMMAND]", "print this, or a manual")]
    return "\n".join(
        [
            USAGE,
            "",
            "Commands a running daemon. Without a command, an interactive shell starts.",
            "",
            "options:",
            *_columns(options),
            "",
            "commands:",
            *_columns(summaries().items()),
            "",
            "Commands that take --wait (or --waiting) answer with it when all is done, and without",
            "it when that has begun.",
            "",
            "exit codes: 0 done, 1 no answer, 2 not understood, 3 refused by the daemon,",
            "4 waited for, but the daemon is still at work",
        ]
    )


def overview_as_json() -> dict[str, Any]:
    """Return the same for programs."""
    options = {name: help for name, (_, help) in VALUES.items()} | SWITCHES
    return {"status": "ok", "usage": USAGE, "options": options, "commands": summaries()}


def manual(command: Command) -> str:
    """Return the manual of one command."""
    line = CommandLine(command)
    first, _, rest = (type(command).__doc__ or "").strip().partition("\n")
    parts = [f"usage: {line.usage()}", "", first, dedent(rest).rstrip()]
    if line.slots:
        slots = [(slot_name(slot), _explained(slot)) for slot in line.slots]
        parts += ["", "arguments:", *_columns(slots)]
    if line.switches:
        switches = [
            (_all_names(switch, line.kind(switch)), _explained(switch))
            for switch in line.switches.values()
        ]
        parts += ["", "switches:", *_columns(switches)]
    return "\n".join(parts)


def own_manual(name: str) -> str | None:
    """Return the manual of a command that circusctl does alone, None where it is none of these."""
    text = OF_CIRCUSCTL.get(name.lower())
    if text is None:
        return None
    summary, usage, *more = text.split("\n\n")
    return "\n\n".join([usage, summary, *more])


def _all_names(prop: Prop, kind: str) -> str:
    also = [f"--{other}" for other, name in ALSO_CALLED.items() if name == prop.name]
    short = [f"-{prop.short}"] if prop.short else []
    return ", ".join([*short, *also, switch_text(prop, kind)])


def _explained(prop: Prop) -> str:
    if prop.pattern:
        first, *rest = prop.help.split("; ")
        return "; ".join([f"{first}, or a pattern such as 'web*'", *rest])
    if prop.required or prop.default in (None, False, (), ""):
        return prop.help
    return f"{prop.help} (default: {prop.default})"


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    pairs = list(rows)
    width = min(28, max(len(first) for first, _ in pairs))
    return [f"  {first:<{width}}  {second}" for first, second in pairs]
