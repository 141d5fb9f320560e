"""What plugins and command-line tools may import, and nothing else of the kernel.

Names are loaded when they are first used, because circusctl imports this module and its start is
felt: a command that only needs `Command` does not pay for the declarations of all options. A new
name goes into the table and, for type checkers, into the imports above it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvec_circus_core import __version__
    from cvec_circus_core.config.load import BadConfig
    from cvec_circus_core.config.mappings import shown_option, watcher_from_mapping
    from cvec_circus_core.config.raw import Problem, RawConfig, RawSection, RawValue
    from cvec_circus_core.control.blocking_client import CircusClient
    from cvec_circus_core.control.calls import cast_message, make_json, make_message
    from cvec_circus_core.control.client import AsyncCircusClient
    from cvec_circus_core.control.client_sockets import keys_folder
    from cvec_circus_core.control.codec import encode_event
    from cvec_circus_core.control.consumer import CircusConsumer
    from cvec_circus_core.control.keygen import new_pair
    from cvec_circus_core.control.stats_client import StatsClient
    from cvec_circus_core.control.subscriber import Subscriber
    from cvec_circus_core.control.unreachable import is_open
    from cvec_circus_core.extend.command import Command, Table
    from cvec_circus_core.extend.extra_stats import ExtraStats
    from cvec_circus_core.extend.hookspecs import hookimpl
    from cvec_circus_core.extend.importer import (
        Imported,
        ImportedSection,
        Importer,
        ImportProblem,
        SourceLine,
        literal,
    )
    from cvec_circus_core.extend.inventory import Extension, extensions
    from cvec_circus_core.extend.plugin import CircusPlugin
    from cvec_circus_core.extend.plugin_settings import read_settings
    from cvec_circus_core.extend.ports import SignalSelection, Supervisor, Ticket, WatcherPort
    from cvec_circus_core.extend.registry import load_commands
    from cvec_circus_core.extend.request import REQUIRED, Prop, Request, prop, properties
    from cvec_circus_core.extend.session import Events, Piece, Questions, Refused, Session
    from cvec_circus_core.extend.sink import NO_LOG, Stream, TakesLong, WriteLog
    from cvec_circus_core.hosting.classes import plugin_target
    from cvec_circus_core.hosting.placement import plugin_order
    from cvec_circus_core.model.access import ACCESS, KnownKey, Person, Role
    from cvec_circus_core.model.curve_keys import (
        BadKeys,
        CurveKeys,
        KeyPair,
        read_key,
        read_name,
        read_role,
    )
    from cvec_circus_core.model.errors import (
        AlreadyExists,
        BadMessage,
        CallError,
        CircusError,
        ConfigError,
        Conflict,
        Errno,
        GaveUp,
        NoAnswer,
        NothingListens,
        NotLetIn,
        RequestError,
        SystemProblem,
        UnknownOption,
        UnknownProcess,
        UnknownWatcher,
        WatcherFailed,
        among_several,
    )
    from cvec_circus_core.model.events import own_events
    from cvec_circus_core.model.faults import Fault
    from cvec_circus_core.model.kinds import (
        ACCOUNT,
        BOOLEAN,
        INTEGER,
        NAMES,
        NUMBER,
        OCTAL,
        SIGNAL,
        TEXT,
        WORDS,
        Kind,
        at_least,
        between,
        each,
        one_of,
        or_none,
        read_signal,
        signal_name,
    )
    from cvec_circus_core.model.names import name_key, topic_name
    from cvec_circus_core.model.option_reader import read_option
    from cvec_circus_core.model.options import (
        Option,
        declared_families,
        declared_options,
        option,
        option_names,
    )
    from cvec_circus_core.model.outcome import Done
    from cvec_circus_core.model.quantities import DURATION, SIZE
    from cvec_circus_core.model.regex import Regex
    from cvec_circus_core.model.socket_specs import PLUGIN_STOP_GRACE, PluginSpec, SocketSpec
    from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
    from cvec_circus_core.model.text import escaped, quoted, visible
    from cvec_circus_core.model.values import JsonObject, JsonValue, replace
    from cvec_circus_core.model.views import (
        Health,
        OutputLine,
        OutputQuery,
        OutputView,
        ProcessView,
        RuntimeChange,
        SocketView,
        StatsSubject,
        WatcherStatus,
        WatcherView,
    )
    from cvec_circus_core.requests.properties import schema_of
    from cvec_circus_core.stats_endpoint import StatsEndpoint
    from cvec_circus_core.system.clock import AsyncioClock, SystemClock, thread_seconds, unix_time
    from cvec_circus_core.system.deadline import Deadline
    from cvec_circus_core.system.files import is_plain, open_append, write_all, write_standard
    from cvec_circus_core.system.key_files import (
        change_known,
        keep_pair,
        kept_pair,
        known_keys,
        trust,
    )
    from cvec_circus_core.system.listeners import check_listener, listener_uid
    from cvec_circus_core.system.net.datagram_senders import (
        CAN_TELL_SENDERS,
        DatagramSenders,
        process_owners,
    )
    from cvec_circus_core.system.net.socket_table import read_sockets
    from cvec_circus_core.system.private_files import read_private, rewrite
    from cvec_circus_core.system.processes.leash import boot_seconds, leash_command
    from cvec_circus_core.system.processes.program_output import program_output
    from cvec_circus_core.system.remote_mounts import is_remote
    from cvec_circus_core.system.stats.census import Census
    from cvec_circus_core.system.std_streams import open_missing_streams
    from cvec_circus_core.system.trusted_paths import Spot, hold
    from cvec_circus_core.system.working_dir import by_name

__all__ = [
    "ACCESS",
    "ACCOUNT",
    "BOOLEAN",
    "CAN_TELL_SENDERS",
    "DURATION",
    "INTEGER",
    "NAMES",
    "NO_LOG",
    "NUMBER",
    "OCTAL",
    "PLUGIN_STOP_GRACE",
    "REQUIRED",
    "SIGNAL",
    "SIZE",
    "TEXT",
    "WORDS",
    "AlreadyExists",
    "ArbiterSpec",
    "AsyncCircusClient",
    "AsyncioClock",
    "BadConfig",
    "BadKeys",
    "BadMessage",
    "CallError",
    "Census",
    "CircusClient",
    "CircusConsumer",
    "CircusError",
    "CircusPlugin",
    "Command",
    "ConfigError",
    "Conflict",
    "CurveKeys",
    "DatagramSenders",
    "Deadline",
    "Done",
    "Errno",
    "Events",
    "Extension",
    "ExtraStats",
    "Fault",
    "GaveUp",
    "Health",
    "ImportProblem",
    "Imported",
    "ImportedSection",
    "Importer",
    "JsonObject",
    "JsonValue",
    "KeyPair",
    "Kind",
    "KnownKey",
    "NoAnswer",
    "NotLetIn",
    "NothingListens",
    "Option",
    "OutputLine",
    "OutputQuery",
    "OutputView",
    "Person",
    "Piece",
    "PluginSpec",
    "Problem",
    "ProcessView",
    "Prop",
    "Questions",
    "RawConfig",
    "RawSection",
    "RawValue",
    "Refused",
    "Regex",
    "Request",
    "RequestError",
    "Role",
    "RuntimeChange",
    "Session",
    "SignalSelection",
    "SocketSpec",
    "SocketView",
    "SourceLine",
    "Spot",
    "StatsClient",
    "StatsEndpoint",
    "StatsSubject",
    "Stream",
    "Subscriber",
    "Supervisor",
    "SystemClock",
    "SystemProblem",
    "Table",
    "TakesLong",
    "Ticket",
    "UnknownOption",
    "UnknownProcess",
    "UnknownWatcher",
    "WatcherFailed",
    "WatcherPort",
    "WatcherSpec",
    "WatcherStatus",
    "WatcherView",
    "WriteLog",
    "__version__",
    "among_several",
    "at_least",
    "between",
    "boot_seconds",
    "by_name",
    "cast_message",
    "change_known",
    "check_listener",
    "declared_families",
    "declared_options",
    "each",
    "encode_event",
    "escaped",
    "extensions",
    "hold",
    "hookimpl",
    "is_open",
    "is_plain",
    "is_remote",
    "keep_pair",
    "kept_pair",
    "keys_folder",
    "known_keys",
    "leash_command",
    "listener_uid",
    "literal",
    "load_commands",
    "make_json",
    "make_message",
    "name_key",
    "new_pair",
    "one_of",
    "open_append",
    "open_missing_streams",
    "option",
    "option_names",
    "or_none",
    "own_events",
    "plugin_order",
    "plugin_target",
    "process_owners",
    "program_output",
    "prop",
    "properties",
    "quoted",
    "read_key",
    "read_name",
    "read_option",
    "read_private",
    "read_role",
    "read_settings",
    "read_signal",
    "read_sockets",
    "replace",
    "rewrite",
    "schema_of",
    "shown_option",
    "signal_name",
    "thread_seconds",
    "topic_name",
    "trust",
    "unix_time",
    "visible",
    "watcher_from_mapping",
    "write_all",
    "write_standard",
]

_NAMES_BY_MODULE = {
    "cvec_circus_core": "__version__",
    "cvec_circus_core.config.load": "BadConfig",
    "cvec_circus_core.config.raw": "Problem RawConfig RawSection RawValue",
    "cvec_circus_core.config.mappings": "shown_option watcher_from_mapping",
    "cvec_circus_core.control.blocking_client": "CircusClient",
    "cvec_circus_core.control.calls": "cast_message make_json make_message",
    "cvec_circus_core.control.client": "AsyncCircusClient",
    "cvec_circus_core.control.codec": "encode_event",
    "cvec_circus_core.control.client_sockets": "keys_folder",
    "cvec_circus_core.control.unreachable": "is_open",
    "cvec_circus_core.control.consumer": "CircusConsumer",
    "cvec_circus_core.control.subscriber": "Subscriber",
    "cvec_circus_core.control.keygen": "new_pair",
    "cvec_circus_core.control.stats_client": "StatsClient",
    "cvec_circus_core.extend.command": "Command Table",
    "cvec_circus_core.extend.session": "Events Piece Questions Refused Session",
    "cvec_circus_core.extend.hookspecs": "hookimpl",
    "cvec_circus_core.extend.importer": "Imported ImportedSection Importer ImportProblem "
    "SourceLine literal",
    "cvec_circus_core.extend.plugin": "CircusPlugin",
    "cvec_circus_core.extend.plugin_settings": "read_settings",
    "cvec_circus_core.extend.ports": "SignalSelection Supervisor Ticket WatcherPort",
    "cvec_circus_core.extend.extra_stats": "ExtraStats",
    "cvec_circus_core.extend.inventory": "Extension extensions",
    "cvec_circus_core.extend.registry": "load_commands",
    "cvec_circus_core.extend.request": "REQUIRED Prop Request prop properties",
    "cvec_circus_core.extend.sink": "NO_LOG Stream TakesLong WriteLog",
    "cvec_circus_core.model.errors": "AlreadyExists BadMessage CallError CircusError ConfigError "
    "Conflict Errno GaveUp NoAnswer NotLetIn NothingListens RequestError SystemProblem "
    "UnknownOption UnknownProcess UnknownWatcher WatcherFailed among_several",
    "cvec_circus_core.hosting.classes": "plugin_target",
    "cvec_circus_core.hosting.placement": "plugin_order",
    "cvec_circus_core.model.access": "ACCESS KnownKey Person Role",
    "cvec_circus_core.model.events": "own_events",
    "cvec_circus_core.model.curve_keys": "BadKeys CurveKeys KeyPair read_key read_name read_role",
    "cvec_circus_core.model.faults": "Fault",
    "cvec_circus_core.model.option_reader": "read_option",
    "cvec_circus_core.model.kinds": "ACCOUNT BOOLEAN INTEGER NAMES NUMBER OCTAL SIGNAL TEXT WORDS "
    "Kind at_least between each one_of or_none read_signal signal_name",
    "cvec_circus_core.model.names": "name_key topic_name",
    "cvec_circus_core.model.quantities": "DURATION SIZE",
    "cvec_circus_core.model.options": "Option declared_families declared_options option "
    "option_names",
    "cvec_circus_core.model.outcome": "Done",
    "cvec_circus_core.model.regex": "Regex",
    "cvec_circus_core.model.socket_specs": "PLUGIN_STOP_GRACE PluginSpec SocketSpec",
    "cvec_circus_core.model.specs": "ArbiterSpec WatcherSpec",
    "cvec_circus_core.model.text": "escaped quoted visible",
    "cvec_circus_core.model.values": "JsonObject JsonValue replace",
    "cvec_circus_core.model.views": "Health WatcherStatus OutputLine OutputQuery OutputView "
    "ProcessView RuntimeChange SocketView StatsSubject WatcherView",
    "cvec_circus_core.requests.properties": "schema_of",
    "cvec_circus_core.stats_endpoint": "StatsEndpoint",
    "cvec_circus_core.system.processes.leash": "boot_seconds leash_command",
    "cvec_circus_core.system.processes.program_output": "program_output",
    "cvec_circus_core.system.stats.census": "Census",
    "cvec_circus_core.system.clock": "AsyncioClock SystemClock thread_seconds unix_time",
    "cvec_circus_core.system.deadline": "Deadline",
    "cvec_circus_core.system.remote_mounts": "is_remote",
    "cvec_circus_core.system.working_dir": "by_name",
    "cvec_circus_core.system.files": "is_plain open_append write_all write_standard",
    "cvec_circus_core.system.key_files": "change_known keep_pair kept_pair known_keys trust",
    "cvec_circus_core.system.net.datagram_senders": "CAN_TELL_SENDERS DatagramSenders "
    "process_owners",
    "cvec_circus_core.system.listeners": "check_listener listener_uid",
    "cvec_circus_core.system.net.socket_table": "read_sockets",
    "cvec_circus_core.system.private_files": "read_private rewrite",
    "cvec_circus_core.system.std_streams": "open_missing_streams",
    "cvec_circus_core.system.trusted_paths": "Spot hold",
}
_MODULES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
