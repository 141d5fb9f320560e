"""What circusctl and circus-top ask a daemon by themselves, and which commands answer that.

Programs know no command by name. What they need to know beside what the user asks for, such as the
names of the watchers that a pattern means, is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

OVERVIEW = "status"
"""The command whose reply greets anyone who starts a shell."""


def watcher_names(call: Call) -> list[str]:
    """Return the names of all watchers."""
    return list(call("list", {}).get("watchers", ()))


def progress(call: Call, name: str | None) -> str:
    """Return in some words how far a watcher, or all, have come, after a comma; or nothing."""
    reply = call("status", {} if name is None else {"name": name})
    if "statuses" in reply:
        states = list(reply["statuses"].values())
        return "".join(f", {states.count(state)} {state}" for state in sorted(set(states)))
    if reply.get("wanted"):
        return f", {reply['status']}, {reply['running']} of {reply['wanted']} processes"
    return "" if reply["status"] == "error" else f", {reply['status']}"


def health(call: Call) -> Mapping[str, Any]:
    """Return how all watchers fare; see `Status`."""
    return call("status", {"long": True})


def endpoints(call: Call) -> Mapping[str, Any]:
    """Return the reply that has the endpoints of the daemon under ``options``."""
    # By name, for then one that is not set is told as such; an older daemon tells all.
    return call("globaloptions", {"keys": ["endpoint", "pubsub_endpoint", "stats_endpoint"]})


def is_control_endpoint(call: Call) -> bool:
    """Tell whether there is a daemon that answers. Raises CallError where nobody does."""
    call("numwatchers", {})
    return True


class NameQuestions:
    """Asks for the names that may stand on a command line; see `Questions`."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def names_of(self, kind: str, words: Sequence[str]) -> Iterable[str]:
        """Return the names of this kind; ``words`` begin with the watcher that has them."""
        if kind == "watcher":
            return watcher_names(self.call)
        if kind == "signal":
            return _signals()
        if kind == "socket":
            return [socket["name"] for socket in self.call("listsockets", {}).get("sockets", ())]
        if not words:
            return ()
        of_watcher = {"name": words[0]}
        if kind == "process":
            return map(str, self.call("list", of_watcher).get("pids", ()))
        if kind == "option":
            return list(self.call("options", of_watcher).get("options", ()))
        return ()


def _signals() -> list[str]:
    from signal import Signals

    return [member.name.removeprefix("SIG") for member in Signals]
