"""What is fuzzed, as plain functions of bytes: whatever they raise is a bug.

Nothing here needs a fuzzer, so that what one has found can be repeated by a test.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from cvec_circus_core.config.build import Loaded, build
from cvec_circus_core.config.load import BadConfig, accepted
from cvec_circus_core.config.mappings import changed_spec, spec_as_json
from cvec_circus_core.config.outside_faults import OutsideChecks
from cvec_circus_core.config.raw import RawConfig, merged
from cvec_circus_core.control.codec import decode, encode, encode_event, id_of, request_of
from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.extend.request import properties
from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.model.access import Caller, LocalUser, Rights, Stranger
from cvec_circus_core.model.errors import BadMessage, CircusError, Errno, InvalidJson
from cvec_circus_core.model.kinds import NAMES
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.model.options import declared_families, declared_options
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.launch import SpawnEnvironment, prepare
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.dispatch import Dispatcher, failure_of
from cvec_circus_core.testing import FakeClock, FakeSupervisor, FakeWatcher
from cvec_circus_plugins.formats.ini import IniFormat
from tests.fuzz.choosing import Choices

_BOB = LocalUser(1001, 4711)
_VISITORS = (
    Caller(_BOB, "user 'bob'", Rights(everything=True, reading=True)),
    Caller(_BOB, "user 'bob'", Rights(reading=True)),
    Caller(_BOB, "user 'bob'", Rights(words=frozenset({"bob"}))),
    Caller(_BOB, "user 'bob'", Rights()),
    Caller(Stranger("the connection was closed too soon"), "a stranger", Rights()),
)
_MAY_NOT_ACT = (1, 3, 4)
_MANY_PROCESSES = 1000
_SECRET = "precious-secret"
_WORDS = (
    *("web", "db", "WEB", "nosuch", "*", "w*", "[", "(", "regex", "glob", "simple", "", " ", "\0"),
    *("TERM", "SIGKILL", "hup", "all", "stdout", "stderr", "true", "none", "$WID", "$(circus.wid)"),
    *("$(circus.sockets.web)", "/bin/true", "'", '"a b"', "~", "cap_chown", "027", "50%", "ready"),
    *("alive:1", "log:(", "notify", "os.path.join", "FileStream", "class", "filename", "/tmp/x"),
)


class _Scream(logging.Handler):
    """Turns a traceback in the log into a failure."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            raise record.exc_info[1]


_SCREAM = _Scream()


@contextmanager
def _screaming() -> Iterator[None]:
    root, raises = logging.getLogger(), logging.raiseExceptions
    root.addHandler(_SCREAM)
    logging.raiseExceptions = False
    try:
        yield
    finally:
        root.removeHandler(_SCREAM)
        logging.raiseExceptions = raises


@_screaming()
def codec(data: bytes) -> None:
    """A frame becomes a request or one of two errors, and every reply can be sent."""
    value: Any = None
    reply: Reply
    try:
        value = decode(data)
        message = request_of(value)
        assert message.command == message.command.strip().lower() != ""
        assert isinstance(message.properties, dict)
        reply = Success({"properties": message.properties})
    except (InvalidJson, BadMessage) as error:
        reply = failure_of(error, "?")
    sent = json.loads(encode(reply, id_of(value), 1.5))
    assert sent["status"] == ("ok" if isinstance(reply, Success) else "error"), sent
    assert sent["id"] == id_of(value)
    if isinstance(value, dict):
        assert json.loads(encode_event(value)) == value


@_screaming()
def dispatch(data: bytes) -> None:
    """Whatever is asked by whomever, there is a reply, and nobody does what he may not."""
    choices = Choices(data)
    number = choices.number(len(_VISITORS))
    message = _request(choices, data)
    if message is None:
        return
    daemon = _daemon()
    audit = Audit(FakeClock(), lambda event: None)
    dispatcher = Dispatcher(_commands(), daemon, audit)
    reply = _loop().run_until_complete(dispatcher.answer(message, _VISITORS[number]))
    if isinstance(reply, Failure):
        assert reply.errno != Errno.COMMAND_ERROR or "unexpected" not in reply.reason, reply.reason
        assert reply.reason, message
    frame = encode(reply, message.id, 1.5)
    sent = json.loads(frame)
    assert "can not be sent as JSON" not in str(sent.get("reason")), (sent, message)
    if number in _MAY_NOT_ACT:
        assert not _said(daemon), (message, _said(daemon))
    if number:
        assert _SECRET.encode() not in frame, message
    if _said(daemon):
        _daemon.cache_clear()


@_screaming()
def config(data: bytes) -> None:
    """A file becomes specs that can be used and shown, and sentences of one line."""
    text = _file(Choices(data[1:])) if data[:1] > b"\x7f" else data.decode("utf-8", "replace")
    raw = IniFormat().read(text, "circus.ini")
    whole = RawConfig(merged(raw.sections), raw.problems, raw.warnings)
    loaded = build(
        whole, {"HOME": "/root", "WORD": "$(circus.env.home)"}, OutsideChecks(_stream_faults)
    )
    for problem in (*loaded.problems, *loaded.warnings):
        assert len(str(problem).splitlines()) == 1, str(problem)
    _check_specs(loaded)
    with suppress(BadConfig):
        accepted(loaded, skip_bad=True)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "codec": codec,
    "dispatch": dispatch,
    "config": config,
}


def seeds(target: str) -> list[bytes]:
    """Return some inputs to begin with."""
    if target == "config":
        folder = Path(__file__).parent.parent / "config" / "examples"
        files = [file.read_bytes() for file in sorted(folder.rglob("*.ini"))]
        return [*files, b"\x80" + bytes(range(200))]
    bodies = [
        json.dumps({"id": "1", "command": name, "properties": {"name": "web"}}).encode()
        for name in sorted(_commands())
    ]
    if target == "codec":
        return bodies
    return [bytes([0, 255]) + body for body in bodies] + [
        bytes([visitor, number, *range(visitor, 60)])
        for number in range(len(_commands()))
        for visitor in range(2)
    ]


def words() -> list[str]:
    """Return words that are worth trying."""
    own = {one.name for command in _commands().values() for one in properties(command.request)}
    keys = {*_option_names(WatcherSpec), *_option_names(ArbiterSpec), *_option_names(SocketSpec)}
    sections = {"[circus]", "[watcher:web]", "[socket:s]", "[plugin:p]", "[env:*]", "[env]"}
    return sorted({*own, *keys, *sections, *_commands(), *filter(None, _WORDS)} - {"\0"})


@cache
def _commands() -> Mapping[str, Command]:
    return load_commands()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _option_names(spec: type) -> tuple[str, ...]:
    prefixes = [
        f"{declared_family.prefix}filename" for declared_family in declared_families(spec).values()
    ]
    aliases = [
        alias
        for declared_option in declared_options(spec).values()
        for alias in declared_option.aliases
    ]
    return (*declared_options(spec), *aliases, *prefixes)


@cache
def _daemon() -> FakeSupervisor:
    """Return a daemon, the same one until somebody has changed something."""
    web = FakeWatcher("web", allow_users=["bob"], env={"TOKEN": _SECRET}).up()
    return FakeSupervisor(web, FakeWatcher("db", env={"TOKEN": _SECRET}))


def _said(daemon: FakeSupervisor) -> list[str]:
    return [*daemon.said, *(one for watcher in daemon.watchers() for one in watcher.said)]


def _request(choices: Choices, data: bytes) -> RequestMessage | None:
    """Return a request: bytes as they are, or one that is almost right."""
    if choices.number(256) == 255:
        try:
            return _calmed(request_of(decode(data[2:])))
        except CircusError:
            return None
    command = choices.one_of(sorted(_commands()))
    keys = [one.name for one in properties(_commands()[command].request)] or ["name"]
    options = _option_names(WatcherSpec)
    given = choices.mapping([*keys, "name", "options"], _WORDS, 1)
    if isinstance(given.get("options"), dict):
        given["options"] |= choices.mapping(options, _WORDS, 2)
    body = json.dumps({"command": command, "properties": given, "id": choices.value(_WORDS, 1)})
    return _calmed(request_of(decode(body.encode())))


def _calmed(message: RequestMessage) -> RequestMessage:
    """Return a message that makes no millions of processes: a fake makes each of them."""
    for mapping in (message.properties, message.properties.get("options")):
        for key in ("nb", "numprocesses", "numprocs"):
            number = mapping.get(key) if isinstance(mapping, dict) else None
            if isinstance(number, int | str) and len(str(number)) > len(str(_MANY_PROCESSES)) - 1:
                mapping[key] = _MANY_PROCESSES
    return message


def _file(choices: Choices) -> str:
    lines = []
    for _ in range(1 + choices.number(4)):
        kind, spec = choices.one_of(
            (
                ("watcher:web", WatcherSpec),
                ("circus", ArbiterSpec),
                ("socket:s", SocketSpec),
                ("watcher:db", WatcherSpec),
                ("plugin:p", WatcherSpec),
                ("env", WatcherSpec),
                ("env:w*", WatcherSpec),
            )
        )
        lines.append(f"[{kind}]")
        if spec is WatcherSpec:
            lines.append("cmd = true $(circus.wid)")
        for _ in range(choices.number(8)):
            key = choices.one_of(_option_names(spec))
            lines.append(f"{key} = {choices.value(_WORDS, 0)}")
    return "\n".join(lines)


def _stream_faults(settings: Mapping[str, Any]) -> Any:
    # Names with dots are imported, and there is no telling what an import does.
    if "." in str(settings.get("class", "")):
        return ()
    return tuple(_sinks().faults(settings))


@cache
def _sinks() -> Sinks:
    return Sinks()


def _check_specs(loaded: Loaded) -> None:
    if loaded.problems:
        return  # It does not start, so nobody sees what else is in it.
    for spec in loaded.watchers:
        shown = spec_as_json(spec)
        json.dumps(shown, allow_nan=False)
        with suppress(ValueError):
            prepare(spec, SpawnEnvironment(environ={"A": "b"}, sockets=("s",))).for_slot(1)
        given_back = {
            name: shown[name]
            for name, one in declared_options(WatcherSpec).items()
            if one.settable and not one.inert and one.kind is not NAMES
        }
        assert changed_spec(spec, given_back) == spec
