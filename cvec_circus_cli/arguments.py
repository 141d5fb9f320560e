"""Words of the command line become arguments of a request, as the request declares them.

One declaration serves the wire and the command line (see `Prop`): positional properties take words
in order, the others are switches. A word goes to an optional position only when enough are left for
those that must be given, so that `NAME [PID] SIGNUM` reads two words as NAME and SIGNUM. Where a
command takes many words, such as a command line to run, switches that are not its own are words,
and everything is after a ``--``.

argparse is left out on purpose: it costs a tenth of circusctl's run, and it ends the program where
the interactive shell wants to go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cvec_circus_core.api import Command, Prop, Request

ALSO_CALLED = {"wait": "waiting"}
_WORD_TYPES = ("list[", "tuple[", "Sequence[")
"""What an annotation begins with where a property takes several words."""


class UsageError(Exception):
    """The words can not be understood; the text says which and why."""


class HelpWanted(Exception):
    """The words ask for the manual."""


def no_other_switch(name: str, value: str | None, words: Iterator[str]) -> bool:
    """Take no switch but those of the command."""
    return False


class CommandLine:
    """What one command takes on the command line."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.of: type[Request] = command.command_line or command.request
        visible = [prop for prop in properties(self.of) if not prop.hidden]
        self.slots = [prop for prop in visible if prop.positional]
        self.switches = {prop.name: prop for prop in visible if not prop.positional}
        self.takes_patterns = any(slot.pattern for slot in self.slots)
        self.takes_many = any(slot.many for slot in self.slots)

    def read(
        self,
        words: Sequence[str],
        other_switch: Callable[[str, str | None, Iterator[str]], bool] = no_other_switch,
    ) -> list[dict[str, Any]]:
        """Return the arguments of every request that the words ask for, mostly one.

        ``other_switch`` is offered what is no switch of the command. Raises UsageError, HelpWanted.
        """
        arguments: dict[str, Any] = {}
        plain: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                plain.extend(rest)
            elif not is_switch(word) or (self.is_inside_many(plain) and not self.switch(word)):
                plain.append(word)
            elif word in ("-h", "--help"):
                raise HelpWanted
            else:
                self._take_switch(word, rest, arguments, other_switch)
        return self._requests(arguments, self._shared_out(plain))

    def usage(self) -> str:
        """Return the line that shows how the command is given."""
        parts = [f"circusctl {self.command.name}"]
        parts += [
            f"[{switch_text(switch, self.kind(switch))}]" for switch in self.switches.values()
        ]
        parts += [_slot_text(slot) for slot in self.slots]
        return " ".join(parts)

    def kind(self, prop: Prop) -> str:
        """Return what a property's words become: bool, int, float, words, pairs, or text."""
        return _kind(_annotation(self.of, prop.name))

    def is_inside_many(self, plain: Sequence[str]) -> bool:
        """Tell whether a word after these plain ones is one of many that the command takes."""
        return self.takes_many and len(plain) > sum(not slot.many for slot in self.slots)

    def switch(self, word: str) -> Prop | None:
        """Return what this word switches, with or without its value; None if it is not ours."""
        if not word.startswith("--"):
            switches = self.switches.values()
            return next((switch for switch in switches if word[1:2] == switch.short), None)
        name = word[2:].partition("=")[0].replace("-", "_")
        return self.switches.get(ALSO_CALLED.get(name, name))

    def _take_switch(
        self,
        word: str,
        rest: Iterator[str],
        arguments: dict[str, Any],
        other_switch: Callable[[str, str | None, Iterator[str]], bool],
    ) -> None:
        switch = self.switch(word)
        name, equals, value = word.partition("=")
        if switch is not None and not word.startswith("--"):
            name, equals = word[:2], word[2:]
            value = equals.removeprefix("=")
            if equals and self.kind(switch) == "bool":  # as in -fn1
                self._take_switch(f"-{value}", rest, arguments, other_switch)
                equals = ""
        if switch is None:
            if not other_switch(name, value if equals else None, rest):
                raise UsageError(f"{self.command.name} has no switch {name}")
            return
        kind = self.kind(switch)
        if kind == "bool":
            arguments[switch.name] = _truth(name, value) if equals else True
            return
        text = value if equals else next(rest, None)
        if text is None:
            raise UsageError(f"{name} needs a value")
        if kind == "words":
            arguments.setdefault(switch.name, []).append(text)
        elif kind == "pairs":
            arguments.setdefault(switch.name, {}).update([_pair(name, text)])
        else:
            arguments[switch.name] = read_value(name, kind, switch.choices, text)

    def _shared_out(self, words: list[str]) -> dict[str, list[str]]:
        spare = len(words) - sum(slot.required for slot in self.slots)
        if spare < 0:
            missing = [slot for slot in self.slots if slot.required][spare]
            raise UsageError(f"{slot_name(missing)} is missing")
        shares: dict[str, list[str]] = {}
        start = 0
        for slot in self.slots:
            count = spare if slot.many or slot.each else min(spare, not slot.required)
            if slot.each:
                count -= self._numbers_after(slot, words, count + slot.required)
            spare -= count
            end = start + count + slot.required
            if words[start:end]:
                shares[slot.name] = words[start:end]
            start = end
        if spare:
            raise UsageError(f"{words[start]!r} is one argument too many")
        return shares

    def _numbers_after(self, each: Prop, words: list[str], count: int) -> int:
        # One word at least is left for what takes several.
        numbers = 0
        for slot in reversed(self.slots[self.slots.index(each) + 1 :]):
            is_number = count - numbers > 1 and words[len(words) - 1 - numbers].isdecimal()
            if slot.required or self.kind(slot) != "int" or not is_number:
                break
            numbers += 1
        return numbers

    def _requests(
        self, arguments: dict[str, Any], shares: dict[str, list[str]]
    ) -> list[dict[str, Any]]:
        repeated: list[tuple[str, Any]] = []
        for slot in self.slots:
            if slot.name not in shares:
                continue
            name, kind = slot_name(slot), self.kind(slot)
            kind = "text" if kind == "words" else kind
            values = [read_value(name, kind, slot.choices, word) for word in shares[slot.name]]
            if slot.each:
                repeated = [(slot.name, value) for value in dict.fromkeys(values)]
            else:
                arguments[slot.name] = values if slot.many else values[0]
        return [{**arguments, key: value} for key, value in repeated] or [arguments]


def switch_text(prop: Prop, kind: str) -> str:
    """Return how a switch is written."""
    value = prop.metavar or "|".join(prop.choices) or prop.name.upper()
    return f"--{prop.name}" if kind == "bool" else f"--{prop.name} {value}"


def slot_name(prop: Prop) -> str:
    """Return how a position is called."""
    return prop.metavar or prop.name.upper()


def read_value(name: str, kind: str, choices: Sequence[str], text: str) -> float | str:
    """Return the value of a word. Raises UsageError."""
    if choices and text not in choices:
        raise UsageError(f"{name} is one of {', '.join(choices)}, not {text!r}")
    try:
        match kind:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return _truth(name, text)
            case "int or text":
                return int(text) if text.isdecimal() else text
    except ValueError:
        raise UsageError(f"{name} is a number, not {text!r}") from None
    return text


def _slot_text(prop: Prop) -> str:
    name = slot_name(prop) + ("..." if prop.many or prop.each else "")
    return name if prop.required else f"[{name}]"


def is_switch(word: str) -> bool:
    """Tell whether a word looks like a switch; a negative number does not."""
    return len(word) > 1 and word[0] == "-" and not word[1].isdecimal()


def _truth(name: str, text: str) -> bool:
    word = text.lower()
    if word not in ("yes", "true", "on", "1", "no", "false", "off", "0"):
        raise UsageError(f"{name} is yes or no, not {text!r}")
    return word in ("yes", "true", "on", "1")


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{name} takes KEY=VALUE, not {text!r}")
    return key, value


def _annotation(of: type, name: str) -> str:
    # As text, for most modules keep annotations so; typing's own reading of them costs too much.
    for base in of.__mro__:
        annotation = vars(base).get("__annotations__", {}).get(name)
        if isinstance(annotation, str):
            return annotation
        if annotation is not None:
            return str(getattr(annotation, "__name__", annotation))
    return "str"


def _kind(annotation: str) -> str:
    members = {member.strip() for member in annotation.split("|")} - {"None"}
    if members == {"int", "str"}:
        return "int or text"
    if len(members) != 1:
        return "text"
    (member,) = members
    if member in ("bool", "int", "float"):
        return member
    if f"{member}[".startswith(_WORD_TYPES):
        return "words"
    return "pairs" if member.partition("[")[0] in ("dict", "Mapping") else "text"
