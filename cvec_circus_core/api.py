"""What plugins and command-line tools may import, and nothing else of the kernel.

Names are loaded when they are first used, because circusctl imports this module and its start is
felt: a command that only needs `Command` does not pay for the declarations of all options. A new
name goes into the table and, for type checkers, into the imports above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvec_circus_core import LazyNames

if TYPE_CHECKING:
    from cvec_circus_core import __version__ as __version__
    from cvec_circus_core.config.load import BadConfig as BadConfig, load as load
    from cvec_circus_core.config.mappings import (
        shown_option as shown_option,
        watcher_from_mapping as watcher_from_mapping,
    )
    from cvec_circus_core.config.raw import (
        Problem as Problem,
        RawConfig as RawConfig,
        RawSection as RawSection,
        RawValue as RawValue,
    )
    from cvec_circus_core.control.blocking_client import CircusClient as CircusClient
    from cvec_circus_core.control.calls import (
        cast_message as cast_message,
        make_json as make_json,
        make_message as make_message,
    )
    from cvec_circus_core.control.client import AsyncCircusClient as AsyncCircusClient
    from cvec_circus_core.control.client_sockets import keys_folder as keys_folder
    from cvec_circus_core.control.codec import encode_event as encode_event
    from cvec_circus_core.control.consumer import CircusConsumer as CircusConsumer
    from cvec_circus_core.control.keygen import new_pair as new_pair
    from cvec_circus_core.control.stats_client import StatsClient as StatsClient
    from cvec_circus_core.control.subscriber import Subscriber as Subscriber
    from cvec_circus_core.control.unreachable import is_open as is_open
    from cvec_circus_core.extend.command import (
        HOSTS_REQUEST as HOSTS_REQUEST,
        Command as Command,
        Table as Table,
    )
    from cvec_circus_core.extend.exporter import (
        Exported as Exported,
        Exporter as Exporter,
        ExportSource as ExportSource,
    )
    from cvec_circus_core.extend.extra_stats import ExtraStats as ExtraStats
    from cvec_circus_core.extend.hookspecs import hookimpl as hookimpl
    from cvec_circus_core.extend.importer import (
        Imported as Imported,
        ImportedSection as ImportedSection,
        Importer as Importer,
        ImportProblem as ImportProblem,
        SourceLine as SourceLine,
        literal as literal,
    )
    from cvec_circus_core.extend.inventory import Extension as Extension, extensions as extensions
    from cvec_circus_core.extend.plugin import CircusPlugin as CircusPlugin
    from cvec_circus_core.extend.plugin_settings import read_settings as read_settings
    from cvec_circus_core.extend.ports import (
        SignalSelection as SignalSelection,
        Supervisor as Supervisor,
        Ticket as Ticket,
        WatcherPort as WatcherPort,
    )
    from cvec_circus_core.extend.registry import load_commands as load_commands
    from cvec_circus_core.extend.request import (
        REQUIRED as REQUIRED,
        Prop as Prop,
        Request as Request,
        prop as prop,
        properties as properties,
    )
    from cvec_circus_core.extend.session import (
        Events as Events,
        Piece as Piece,
        Questions as Questions,
        Refused as Refused,
        Session as Session,
    )
    from cvec_circus_core.extend.sink import (
        NO_LOG as NO_LOG,
        Stream as Stream,
        TakesLong as TakesLong,
        WriteLog as WriteLog,
    )
    from cvec_circus_core.hosting.classes import plugin_target as plugin_target
    from cvec_circus_core.hosting.placement import plugin_order as plugin_order
    from cvec_circus_core.model.access import (
        ACCESS as ACCESS,
        KnownKey as KnownKey,
        Person as Person,
        Role as Role,
    )
    from cvec_circus_core.model.curve_keys import (
        BadKeys as BadKeys,
        CurveKeys as CurveKeys,
        KeyPair as KeyPair,
        read_key as read_key,
        read_name as read_name,
        read_role as read_role,
    )
    from cvec_circus_core.model.errors import (
        AlreadyExists as AlreadyExists,
        BadMessage as BadMessage,
        CallError as CallError,
        CircusError as CircusError,
        ConfigError as ConfigError,
        Conflict as Conflict,
        Errno as Errno,
        GaveUp as GaveUp,
        NoAnswer as NoAnswer,
        NothingListens as NothingListens,
        NotLetIn as NotLetIn,
        RequestError as RequestError,
        SystemProblem as SystemProblem,
        UnknownOption as UnknownOption,
        UnknownProcess as UnknownProcess,
        UnknownWatcher as UnknownWatcher,
        WatcherFailed as WatcherFailed,
        among_several as among_several,
    )
    from cvec_circus_core.model.events import own_events as own_events
    from cvec_circus_core.model.faults import Fault as Fault
    from cvec_circus_core.model.kinds import (
        ACCOUNT as ACCOUNT,
        BOOLEAN as BOOLEAN,
        INTEGER as INTEGER,
        NAMES as NAMES,
        NUMBER as NUMBER,
        OCTAL as OCTAL,
        SIGNAL as SIGNAL,
        TEXT as TEXT,
        WORDS as WORDS,
        Kind as Kind,
        at_least as at_least,
        between as between,
        each as each,
        one_of as one_of,
        or_none as or_none,
    )
    from cvec_circus_core.model.names import name_key as name_key, topic_name as topic_name
    from cvec_circus_core.model.option_reader import read_option as read_option
    from cvec_circus_core.model.options import (
        Option as Option,
        declared_families as declared_families,
        declared_options as declared_options,
        option as option,
        option_names as option_names,
    )
    from cvec_circus_core.model.outcome import Done as Done
    from cvec_circus_core.model.quantities import DURATION as DURATION, SIZE as SIZE
    from cvec_circus_core.model.regex import Regex as Regex
    from cvec_circus_core.model.signal_names import (
        read_signal as read_signal,
        signal_name as signal_name,
    )
    from cvec_circus_core.model.socket_specs import (
        PLUGIN_STOP_GRACE as PLUGIN_STOP_GRACE,
        PluginSpec as PluginSpec,
        SocketSpec as SocketSpec,
    )
    from cvec_circus_core.model.specs import ArbiterSpec as ArbiterSpec, WatcherSpec as WatcherSpec
    from cvec_circus_core.model.text import escaped as escaped, quoted as quoted, visible as visible
    from cvec_circus_core.model.values import (
        JsonObject as JsonObject,
        JsonValue as JsonValue,
        replace as replace,
    )
    from cvec_circus_core.model.views import (
        WAITS_FOR_CONNECTION as WAITS_FOR_CONNECTION,
        Health as Health,
        OutputLine as OutputLine,
        OutputQuery as OutputQuery,
        OutputView as OutputView,
        ProcessView as ProcessView,
        RuntimeChange as RuntimeChange,
        SocketView as SocketView,
        StatsSubject as StatsSubject,
        WatcherStatus as WatcherStatus,
        WatcherView as WatcherView,
    )
    from cvec_circus_core.model.words import split_words as split_words
    from cvec_circus_core.requests.properties import schema_of as schema_of
    from cvec_circus_core.stats_endpoint import StatsEndpoint as StatsEndpoint
    from cvec_circus_core.system.clock import (
        AsyncioClock as AsyncioClock,
        SystemClock as SystemClock,
        thread_seconds as thread_seconds,
        unix_time as unix_time,
    )
    from cvec_circus_core.system.deadline import Deadline as Deadline
    from cvec_circus_core.system.files import (
        is_plain as is_plain,
        open_append as open_append,
        write_all as write_all,
        write_standard as write_standard,
    )
    from cvec_circus_core.system.key_files import (
        change_known as change_known,
        keep_pair as keep_pair,
        kept_pair as kept_pair,
        known_keys as known_keys,
        trust as trust,
    )
    from cvec_circus_core.system.listeners import (
        check_listener as check_listener,
        listener_uid as listener_uid,
    )
    from cvec_circus_core.system.net.datagram_senders import (
        CAN_TELL_SENDERS as CAN_TELL_SENDERS,
        DatagramSenders as DatagramSenders,
        process_owners as process_owners,
    )
    from cvec_circus_core.system.net.socket_table import read_sockets as read_sockets
    from cvec_circus_core.system.private_files import (
        read_private as read_private,
        rewrite as rewrite,
    )
    from cvec_circus_core.system.processes.leash import (
        boot_seconds as boot_seconds,
        leash_command as leash_command,
    )
    from cvec_circus_core.system.processes.program_output import program_output as program_output
    from cvec_circus_core.system.remote_mounts import is_remote as is_remote
    from cvec_circus_core.system.stats.census import Census as Census
    from cvec_circus_core.system.std_streams import open_missing_streams as open_missing_streams
    from cvec_circus_core.system.trusted_paths import Spot as Spot, hold as hold
    from cvec_circus_core.system.working_dir import by_name as by_name

_NAMES = LazyNames(
    __name__,
    {
        "": "__version__",
        "config.load": "BadConfig load",
        "config.mappings": "shown_option watcher_from_mapping",
        "config.raw": "Problem RawConfig RawSection RawValue",
        "control.blocking_client": "CircusClient",
        "control.calls": "cast_message make_json make_message",
        "control.client": "AsyncCircusClient",
        "control.client_sockets": "keys_folder",
        "control.codec": "encode_event",
        "control.consumer": "CircusConsumer",
        "control.keygen": "new_pair",
        "control.stats_client": "StatsClient",
        "control.subscriber": "Subscriber",
        "control.unreachable": "is_open",
        "extend.command": "Command HOSTS_REQUEST Table",
        "extend.exporter": "Exported Exporter ExportSource",
        "extend.extra_stats": "ExtraStats",
        "extend.hookspecs": "hookimpl",
        "extend.importer": "Imported ImportedSection Importer ImportProblem SourceLine literal",
        "extend.inventory": "Extension extensions",
        "extend.plugin": "CircusPlugin",
        "extend.plugin_settings": "read_settings",
        "extend.ports": "SignalSelection Supervisor Ticket WatcherPort",
        "extend.registry": "load_commands",
        "extend.request": "REQUIRED Prop Request prop properties",
        "extend.session": "Events Piece Questions Refused Session",
        "extend.sink": "NO_LOG Stream TakesLong WriteLog",
        "hosting.classes": "plugin_target",
        "hosting.placement": "plugin_order",
        "model.access": "ACCESS KnownKey Person Role",
        "model.curve_keys": "BadKeys CurveKeys KeyPair read_key read_name read_role",
        "model.errors": "AlreadyExists BadMessage CallError CircusError ConfigError Conflict Errno "
        "GaveUp NoAnswer NotLetIn NothingListens RequestError SystemProblem UnknownOption "
        "UnknownProcess UnknownWatcher WatcherFailed among_several",
        "model.events": "own_events",
        "model.faults": "Fault",
        "model.kinds": "ACCOUNT BOOLEAN INTEGER NAMES NUMBER OCTAL SIGNAL TEXT WORDS Kind at_least "
        "between each one_of or_none",
        "model.names": "name_key topic_name",
        "model.option_reader": "read_option",
        "model.options": "Option declared_families declared_options option option_names",
        "model.outcome": "Done",
        "model.quantities": "DURATION SIZE",
        "model.regex": "Regex",
        "model.signal_names": "read_signal signal_name",
        "model.socket_specs": "PLUGIN_STOP_GRACE PluginSpec SocketSpec",
        "model.specs": "ArbiterSpec WatcherSpec",
        "model.text": "escaped quoted visible",
        "model.values": "JsonObject JsonValue replace",
        "model.views": "WAITS_FOR_CONNECTION Health WatcherStatus OutputLine OutputQuery "
        "OutputView ProcessView RuntimeChange SocketView StatsSubject WatcherView",
        "model.words": "split_words",
        "requests.properties": "schema_of",
        "stats_endpoint": "StatsEndpoint",
        "system.clock": "AsyncioClock SystemClock thread_seconds unix_time",
        "system.deadline": "Deadline",
        "system.files": "is_plain open_append write_all write_standard",
        "system.key_files": "change_known keep_pair kept_pair known_keys trust",
        "system.listeners": "check_listener listener_uid",
        "system.net.datagram_senders": "CAN_TELL_SENDERS DatagramSenders process_owners",
        "system.net.socket_table": "read_sockets",
        "system.private_files": "read_private rewrite",
        "system.processes.leash": "boot_seconds leash_command",
        "system.processes.program_output": "program_output",
        "system.remote_mounts": "is_remote",
        "system.stats.census": "Census",
        "system.std_streams": "open_missing_streams",
        "system.trusted_paths": "Spot hold",
        "system.working_dir": "by_name",
    },
)
__all__ = dir(_NAMES)
__getattr__ = _NAMES.load
__dir__ = _NAMES.__dir__
