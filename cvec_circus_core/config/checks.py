"""What no single option can see: contradictions between the options of one watcher or socket.

Each fault is a `Fault` that names the key which has to change. The same checks stand behind
configuration files, ``add`` and ``set``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from cvec_circus_core.config.draft import Draft
from cvec_circus_core.config.shell_words import args_doubts, shell_doubts
from cvec_circus_core.model.amounts import NONE
from cvec_circus_core.model.endpoints import REACHED_BY_OTHERS, is_private
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.model.socket_specs import PluginSpec, SocketSpec
from cvec_circus_core.model.socket_use import sockets_in
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.text import LONGEST_ARGUMENT, LONGEST_EXPANDED
from cvec_circus_core.model.words import split_words


def watcher_faults(
    draft: Draft, sockets: Collection[str] | None, *, needs_cmd: bool = True
) -> Iterator[Fault]:
    """Find all faults of a watcher; ``sockets`` are the managed ones, None where not known."""
    if needs_cmd:
        yield from _command_faults(draft)
    if draft["singleton"] and draft["numprocesses"] > 1:
        yield Fault("numprocesses", "is more than a singleton may have", "0 or 1")
    for key in ("copy_path", "virtualenv"):
        if draft[key] and not draft["copy_env"]:
            yield Fault(key, "needs copy_env")
    for key in ("stdout_stream", "stderr_stream"):
        yield from _stream_faults(key, draft[key])
    has_output = draft["keep_output"] or draft["stdout_stream"] or draft["stderr_stream"]
    if draft["ready"].sign is Sign.LOG and not has_output:
        yield Fault("ready", "needs keep_output, or a stream, to see the output")
    if draft["redirect_stderr"] and draft["stderr_stream"]:
        yield Fault("redirect_stderr", "leaves nothing for stderr_stream")
    if NONE == draft["rollout_surge"] == draft["rollout_unavailable"]:
        yield Fault("rollout_surge", "and rollout_unavailable must not both be 0")
    yield from _socket_faults(draft, sockets)


FindStreamFaults = Callable[[Mapping[str, Any]], Iterable[Fault]]
"""Finds what is wrong with the settings of a stream; its classes are not known to this room."""


FindPluginFaults = Callable[[PluginSpec], Iterable[Fault]]
"""Finds what is wrong with the options of a plugin; its class is not known to this room."""


Spec = ArbiterSpec | SocketSpec | WatcherSpec
FindFaultsAround = Callable[[ArbiterSpec, Spec], Iterable[Fault]]
"""Finds what is not there of what a spec names, given the daemon's own options; this room does not
look at the machine."""


def stream_faults(spec: WatcherSpec, find: FindStreamFaults) -> Iterator[Fault]:
    """Find what the stream classes of a watcher do not take."""
    for key in ("stdout_stream", "stderr_stream"):
        for fault in find(getattr(spec, key)):
            yield Fault(
                f"{key}.{fault.key}", fault.sentence, fault.allowed, is_doubt=fault.is_doubt
            )


def watcher_doubts(draft: Draft) -> Iterator[Fault]:
    """Find what is allowed but probably not meant."""
    if draft["shell_args"] and not draft["shell"]:
        yield Fault("shell_args", "has no effect without shell")
    if draft["shell"] and draft["executable"]:
        yield Fault("executable", "is run in the place of /bin/sh, which shell asks for")
    if not draft["shell"]:
        yield from shell_doubts(draft["cmd"])
        yield from args_doubts(draft["args"])


def used_sockets(draft: Draft) -> Mapping[str, str]:
    """Return the managed sockets that a watcher names, with the key that names each."""
    keys: dict[str, str] = {}
    texts = [("cmd", draft["cmd"])]
    texts += [(key, word) for key in ("args", "shell_args") for word in draft[key]]
    texts += [("env", value) for value in draft["env"].values()]
    for key, text in texts:
        for name in sockets_in(text):
            keys.setdefault(name, key)
    return keys


def socket_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Find all faults of a socket, given its options by name."""
    spec = SocketSpec(name="", **values)
    if spec.family == "AF_UNIX" and spec.path is None:
        yield Fault("family", "needs path")
    if spec.is_unix and spec.so_reuseport:
        yield Fault("so_reuseport", "is not for Unix sockets")
    if not spec.is_unix and not spec.host.strip():
        yield Fault("host", "is empty", "an address or a name")
    for key in ("mode", "owner", "group"):
        if not spec.is_unix and values.get(key) is not None:
            yield Fault(key, "is for Unix sockets only")
    if spec.is_unix and spec.interface is not None:
        yield Fault("interface", "is not for Unix sockets")


def arbiter_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Find all faults of the daemon's own options, given by name."""
    addresses: dict[str, str] = {}
    if values.get("insecure") and values.get("curve_key"):
        yield Fault("insecure", "and curve_key exclude each other: it lets everybody in")
    for key in ("endpoint", "pubsub_endpoint", "stats_endpoint"):
        address = values.get(key)
        guarded = values.get("insecure") or values.get("curve_key")
        if address is not None and not guarded and is_private(address) is False:
            yield Fault(key, REACHED_BY_OTHERS)
        if address is None or address.endswith((":0", ":*")):
            continue
        if address in addresses:
            yield Fault(key, f"is the same as {addresses[address]}")
        addresses[address] = key


def arbiter_doubts(spec: ArbiterSpec) -> Iterator[Fault]:
    """Find what is allowed for the daemon and has no effect."""
    if spec.check_delay < 0:
        yield Fault("check_delay", "is taken, and has no effect: nothing waits for a check")


def _command_faults(draft: Draft) -> Iterator[Fault]:
    if not draft["cmd"].strip():
        yield Fault("cmd", "is missing", "the command line to run")
    elif len(draft["cmd"]) > LONGEST_EXPANDED:
        yield Fault("cmd", f"is longer than {LONGEST_EXPANDED} characters", "args can have more")
    elif not draft["shell"]:
        try:
            split_words(draft["cmd"])
        except ValueError:
            yield Fault("cmd", "has quotes that do not match")
    yield from _length_faults(draft)


def _length_faults(draft: Draft) -> Iterator[Fault]:
    """Find what the system passes to no program."""
    for word in ([draft["cmd"]] if draft["shell"] else []) + list(draft["args"]):
        if _is_too_long(word):
            key = "cmd" if word is draft["cmd"] else "args"
            yield Fault(key, f"has an argument of more than {LONGEST_ARGUMENT} bytes")
    for name, value in draft["env"].items():
        if _is_too_long(f"{name}={value}"):
            yield Fault("env", f"has more than {LONGEST_ARGUMENT} bytes for {name}")


def _is_too_long(word: str) -> bool:
    """Tell whether the system passes a word to no program."""
    may_be = len(word) * 4 > LONGEST_ARGUMENT
    return may_be and len(word.encode(errors="surrogateescape")) > LONGEST_ARGUMENT


def _stream_faults(key: str, stream: Mapping[str, Any]) -> Iterator[Fault]:
    if stream and not any(stream.get(option) for option in ("class", "filename", "stream")):
        yield Fault(key, "says neither class nor filename")
    if not isinstance(stream.get("class", ""), str):
        yield Fault(f"{key}.class", "isn't a text", "the name of a class")
    if "stream" in stream and not callable(stream["stream"]):
        yield Fault(f"{key}.stream", "isn't something to call")


def _socket_faults(draft: Draft, sockets: Collection[str] | None) -> Iterator[Fault]:
    names = ", ".join(sorted(sockets or ())) or "none is defined"
    used_names = used_sockets(draft)
    stdin = draft["stdin_socket"]
    if sockets is not None:
        if stdin is not None and stdin.lower() not in sockets:
            yield Fault("stdin_socket", "is no managed socket", names)
        for name in draft["sockets"]:
            if name not in sockets:
                yield Fault("sockets", f"names {name!r}, which is no managed socket", names)
        for name, key in used_names.items():
            if name not in sockets:
                yield Fault(key, f"names the socket {name!r}, which is not defined", names)
    if used_names and not draft["use_sockets"] and not used_names.keys() <= set(draft["sockets"]):
        name, key = next(iter(used_names.items()))
        yield Fault("use_sockets", f"must be on, because {key} names the socket {name!r}")
    gives = used_names or draft["sockets"] or draft["use_sockets"] or stdin is not None
    if draft["on_demand"] and not gives:
        yield Fault("on_demand", "needs a socket: stdin_socket, sockets, or use_sockets")
