"""What a stream class is, and how the one that a watcher names is stream_class.

A stream gets what processes write: it is made with the keyword arguments of the configuration and
called with a mapping for every piece of output::

    class Shout:
        def __init__(self, volume="3", **kwargs): ...
        def __call__(self, data): print(data["pid"], data["name"], data["data"])

The mapping holds ``pid``, ``name`` ("stdout" or "stderr") and ``data`` (bytes), and besides
``timestamp`` (Unix time), ``watcher`` and ``wid``. A piece ends with a line's end wherever that is
possible. Three methods are called if they are there: ``open()`` at each start of the watcher,
``close()`` when it has stopped, ``reopen()`` when log files are to be opened anew.

Calls come one at a time. They are made in a thread of the stream's own, so that a slow one makes
its processes wait and nobody else; one that never takes long may say ``in_loop = True``, and may
take that back at any time, or raise `TakesLong` before it has taken anything of a piece. A line
whose rest does not come for a second is delivered as it is, unless the stream says
``whole_lines = True``.

A call that raises has lost its piece, which is counted and told. Where it lost less, the exception
says so: ``error.lost_bytes``.

The daemon may be killed at any moment. Where a keeper brings it back, the last piece is told once
more unless the stream has shown how far it was: one that appends to a file and has the methods
``use_journal(log)`` and ``finish(text)`` notes in the log what it is about to write (`WriteLog`);
``finish`` is called after ``open`` with what an earlier daemon noted and did not write.

A class that derives from `Stream` declares its options like the specs do, so that a mistake in them
is told when the configuration is read, and the reference knows them. With ``direct = True`` it
gives each process a descriptor to write to by itself (``descriptor()``), and is not called.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Protocol

from cvec_circus_core.extend.registry import load_group
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.option_reader import read_option, read_options
from cvec_circus_core.model.options import declared_options

STREAMS = "cvec_circus.streams"

USUAL_CLASS = "FileStream"
"""What a filename without a class means."""

_OLD_HOMES = ("circus.stream", "cvec_circus.stream")
_OF_THE_DAEMON = ("class", "stream")
_IGNORED = ("refresh_time", "stream_backend")


class Sink(Protocol):
    """Takes pieces of output."""

    def __call__(self, data: Mapping[str, Any], /) -> object:
        """Take one piece; what is returned is ignored."""


class WriteLog(Protocol):
    """Remembers what a stream is about to append to a file, for a later daemon to go on with."""

    def begin(self, text: bytes) -> None:
        """Note all that a piece becomes, before any of it is written."""

    def appending(self, path: str, fd: int, count: int) -> None:
        """Note that its next bytes are about to be appended to an open file."""

    def appended(self, count: int) -> None:
        """Note that so many of them are written."""


class _NoLog:
    def begin(self, text: bytes) -> None:
        """Note nothing."""

    def appending(self, path: str, fd: int, count: int) -> None:
        """Note nothing."""

    def appended(self, count: int) -> None:
        """Note nothing."""


NO_LOG: WriteLog = _NoLog()


class TakesLong(Exception):
    """A call that is nothing for the event loop after all: it has to be made again in a thread."""


@dataclass(kw_only=True, eq=False)
class Stream:
    """A stream class whose options are the fields of a dataclass, declared by `option`.

    Texts of a configuration file become values here; ``__post_init__`` of a subclass may look for
    what no single option can see. Raises `Fault`. Making one opens nothing: that is for
    ``open()``.
    """

    in_loop: bool = field(init=False, repr=False, default=False)
    """Whether calls are so quick that the event loop may make them."""

    may_hang: bool = field(init=False, repr=False, default=False)
    """Whether even to open it is nothing for the event loop."""

    whole_lines: bool = field(init=False, repr=False, default=False)
    """Whether an unfinished line is to wait for its rest: it could not be gone on with."""

    def __post_init__(self) -> None:
        """Read all options."""
        own_class: type = type(self)
        for name, declared in declared_options(own_class).items():
            setattr(self, name, read_option(declared, getattr(self, name)))

    direct: ClassVar[bool] = False
    """Whether processes write to ``descriptor()`` themselves; such a stream is ``in_loop``, too."""

    def descriptor(self, wid: int) -> int:
        """Return what the process that is about to start in a slot writes to; it gets a copy.

        Raises `CircusError` with the reason why it can not have it.
        """
        raise TypeError(f"{type(self).__name__} has no descriptor")

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Take one piece of output."""
        raise TypeError(f"{type(self).__name__} takes no output")

    def doubts(self) -> Iterator[Fault]:
        """Find what is probably not meant, as things are now: for ``--check``."""
        return iter(())


class Sinks:
    """Finds and makes streams. Classes are loaded when the first watcher wants one."""

    @cached_property
    def _installed(self) -> Mapping[str, Callable[..., Any]]:
        return load_group(STREAMS, _as_class).things

    def faults(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Find everything that is wrong with the settings of one stream."""
        if not settings or "stream" in settings:
            return
        try:
            stream_class = self.stream_class(settings)
        except Fault as fault:
            yield fault
            return
        options = _options(settings, stream_class)
        if isinstance(stream_class, type) and issubclass(stream_class, Stream):
            yield from _faults_of_declared(stream_class, options)
        else:
            yield from _faults_of_signature(stream_class, options)

    def doubts(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Find what is probably not meant in the settings of one stream that has no faults."""
        if settings and "stream" not in settings and not any(self.faults(settings)):
            sink = self.make(settings)
            if isinstance(sink, Stream):
                yield from sink.doubts()

    def make(self, settings: Mapping[str, Any]) -> Sink:
        """Make the stream that settings describe. Raises `ConfigError`."""
        if "stream" in settings:
            ready: Sink = settings["stream"]
            return ready
        try:
            stream_class = self.stream_class(settings)
            sink: Sink = stream_class(**_options(settings, stream_class))
        except Exception as error:
            # Whatever a foreign class raises is the reason why its watcher can not start.
            raise ConfigError(f"the stream can not be made: {error}") from error
        return sink

    def stream_class(self, settings: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the class that settings name. Raises `Fault`."""
        name = str(settings.get("class") or USUAL_CLASS)
        home, _, last = name.replace(":", ".").rpartition(".")
        if is_installed_stream(name):
            if last not in self._installed:
                close = difflib.get_close_matches(last, self._installed, n=1)
                meant = f"; did you mean {close[0]}?" if close else ""
                names = ", ".join(sorted(self._installed))
                raise Fault("class", f"names no stream class{meant}", names)
            return self._installed[last]
        return _imported(name, home, last)


def is_installed_stream(name: str) -> bool:
    """Tell whether a name means a class among the entry points, and no module of anybody's."""
    home = name.replace(":", ".").rpartition(".")[0]
    return not home or home.startswith(_OLD_HOMES)


def _imported(name: str, home: str, last: str) -> Callable[..., Any]:
    try:
        stream_class = getattr(import_module(home), last)
    except Exception as error:
        raise Fault("class", f"{name} can not be imported: {error}") from error
    try:
        return _as_class(stream_class)
    except TypeError as error:
        raise Fault("class", f"{name} can not be used: {error}") from None


def _as_class(stream_class: object) -> Callable[..., Any]:
    if not callable(stream_class) or (
        isinstance(stream_class, type) and "__call__" not in _names_of_instances(stream_class)
    ):
        raise TypeError("its instances can not be called")
    callable_class: Callable[..., Any] = stream_class
    return callable_class


def _names_of_instances(of: type) -> set[str]:
    # hasattr() would ask the metaclass, which makes every class callable.
    return {name for base in of.__mro__ for name in vars(base)}


def _options(settings: Mapping[str, Any], stream_class: Callable[..., Any]) -> dict[str, Any]:
    parameters = _parameters(stream_class)
    return {
        key: value
        for key, value in settings.items()
        if key not in _OF_THE_DAEMON and (key not in _IGNORED or key in parameters)
    }


def _faults_of_declared(stream_class: type[Stream], options: Mapping[str, Any]) -> Iterator[Fault]:
    _, faults = read_options(stream_class, options)
    stream_type: type = stream_class
    declared = declared_options(stream_type)
    own = _of_own_constructor(stream_class)
    unknown = [
        Fault(key, f"is no option of {stream_class.__name__}", ", ".join((*_named(own), *declared)))
        for key in options
        if key not in declared and key not in own
    ]
    takes_any = _takes_any(own)
    faults += [] if takes_any else unknown
    faults += _missing(stream_class.__name__, own, options)
    order = list(options)
    yield from sorted(faults, key=lambda fault: order.index(fault.key) if fault.key in order else 0)
    if not faults:
        try:
            stream_class(**options)
        except Fault as fault:
            yield fault
        except Exception as error:
            # What takes anything may pass it on to what does not.
            passed_on = unknown if isinstance(error, TypeError) else []
            sentence = f"{stream_class.__name__} can not be made: {error}"
            yield from passed_on or [Fault("class", sentence)]


def _of_own_constructor(stream_class: type[Stream]) -> Mapping[str, inspect.Parameter]:
    """Return what a constructor takes that was written by hand."""
    maker = next(base for base in stream_class.__mro__ if "__init__" in vars(base))
    if "__dataclass_params__" in vars(maker):
        return {}
    return _parameters(stream_class)


def _named(parameters: Mapping[str, inspect.Parameter]) -> Iterator[str]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return (name for name, each in parameters.items() if each.kind in named)


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _missing(
    name: str, parameters: Mapping[str, inspect.Parameter], options: Mapping[str, Any]
) -> Iterator[Fault]:
    for key, parameter in parameters.items():
        is_optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if key not in options and not is_optional:
            yield Fault("class", f"{name} needs the option {key}")


def _faults_of_signature(
    stream_class: Callable[..., Any], options: Mapping[str, Any]
) -> Iterator[Fault]:
    parameters = _parameters(stream_class)
    if not parameters:
        return
    name = getattr(stream_class, "__name__", "the class")
    for key in options:
        if key not in parameters and not _takes_any(parameters):
            yield Fault(key, f"is no option of {name}", ", ".join(parameters))
    yield from _missing(name, parameters, options)


def _parameters(stream_class: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(stream_class).parameters
    except (TypeError, ValueError):
        return {}
