"""The rooms of the house: what lives in each, and what it may import.

`test_architecture.py` holds the code to this table, and the page on rooms is written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PACKAGES = ("cvec_circus_core", "cvec_circus_plugins", "cvec_circus_cli")

CORE, PLUGINS, CLI = PACKAGES
MODEL, EXTEND, SYSTEM = f"{CORE}.model", f"{CORE}.extend", f"{CORE}.system"


@dataclass(frozen=True)
class Room:
    """What the modules of one room may import: dotted prefixes of ours, and third parties."""

    ours: tuple[str, ...] = ()
    third_party: tuple[str, ...] = ()


NET = f"{SYSTEM}.net"
HTTPD = f"{PLUGINS}.httpd"
REQUESTS, CONTROL = f"{CORE}.requests", f"{CORE}.control"
DAEMON, HOSTING = f"{CORE}.daemon", f"{CORE}.hosting"

ROOMS: Mapping[str, Room] = {
    MODEL: Room(third_party=("msgspec", "re2")),
    f"{CORE}.policy": Room((MODEL,)),
    SYSTEM: Room((MODEL,), ("psutil",)),
    f"{SYSTEM}.env_files": Room((MODEL,), ("dotenv",)),
    f"{CORE}.keeper": Room((MODEL, SYSTEM, f"{CORE}.__version__")),
    EXTEND: Room((MODEL,), ("pluggy", "stevedore")),
    f"{CORE}.config": Room((MODEL,)),
    f"{CORE}.runtime": Room((MODEL, f"{CORE}.policy", SYSTEM, EXTEND)),
    REQUESTS: Room(
        (MODEL, f"{CORE}.policy", EXTEND, f"{SYSTEM}.protocols", f"{SYSTEM}.accounts"), ("msgspec",)
    ),
    CONTROL: Room(
        (
            *(
                MODEL,
                EXTEND,
                REQUESTS,
                f"{NET}.accept_gate",
                f"{NET}.peers",
                f"{NET}.endpoint_files",
                f"{NET}.lost_files",
                f"{NET}.port_holders",
            ),
            *(
                f"{SYSTEM}.deadline",
                f"{SYSTEM}.protocols",
                f"{SYSTEM}.key_files",
                f"{SYSTEM}.hangup",
                f"{SYSTEM}.listeners",
            ),
        ),
        ("zmq", "msgspec"),
    ),
    f"{CONTROL}.endpoints": Room(
        (CONTROL, REQUESTS, MODEL, f"{CORE}.policy.permission", SYSTEM), ("zmq",)
    ),
    f"{CONTROL}.served_endpoints": Room(
        (CONTROL, f"{CONTROL}.endpoints", REQUESTS, MODEL, SYSTEM), ("zmq",)
    ),
    HOSTING: Room((MODEL, EXTEND, CONTROL, f"{SYSTEM}.listeners"), ("zmq",)),
    f"{HOSTING}.runner": Room(
        (
            *(HOSTING, MODEL, EXTEND, CONTROL, f"{CORE}.config", f"{DAEMON}.logs"),
            f"{SYSTEM}.processes.daemon_death",
        )
    ),
    f"{CORE}.embed": Room((CORE,), ("zmq",)),
    f"{CORE}.engine": Room((CORE,), ("zmq",)),
    f"{CORE}.stats_endpoint": Room((CORE,), ("zmq",)),
    f"{CORE}.api": Room((CORE,)),
    f"{CORE}.testing": Room((CORE,)),
    DAEMON: Room((CORE,)),
    f"{DAEMON}.logs": Room(
        (
            *(MODEL, f"{DAEMON}.log_queue", f"{DAEMON}.log_targets"),
            *(f"{DAEMON}.syslog_target", f"{DAEMON}.logger_config"),
            f"{SYSTEM}.processes.priority",
        )
    ),
    f"{DAEMON}.log_queue": Room(
        (
            *(f"{MODEL}.text", f"{DAEMON}.log_targets"),
            *(f"{SYSTEM}.files", f"{SYSTEM}.processes.priority"),
        )
    ),
    f"{DAEMON}.syslog_target": Room((MODEL, f"{DAEMON}.log_targets")),
    f"{DAEMON}.logger_config": Room(
        (MODEL, f"{SYSTEM}.whole_files", f"{SYSTEM}.working_dir"), ("yaml",)
    ),
    f"{DAEMON}.preflight": Room(
        (
            *(MODEL, EXTEND, f"{DAEMON}.logger_config", f"{SYSTEM}.accounts"),
            *(f"{CORE}.config.checks", f"{CORE}.runtime.managed_sockets"),
            *(f"{NET}.endpoint_files", f"{NET}.port_holders", f"{NET}.sockets"),
            *(f"{CORE}.policy.launch", f"{SYSTEM}.env_files"),
            *(HOSTING, f"{DAEMON}.trial_imports"),
        )
    ),
    f"{DAEMON}.trial_imports": Room(
        (
            *(MODEL, EXTEND, HOSTING, f"{CORE}.policy.launch", f"{CORE}.runtime.hook_calls"),
            *(f"{SYSTEM}.accounts", f"{SYSTEM}.deadline", f"{SYSTEM}.virtualenvs"),
            f"{SYSTEM}.processes.trial",
        )
    ),
    f"{DAEMON}.log_targets": Room((MODEL, f"{SYSTEM}.files", f"{SYSTEM}.working_dir")),
    f"{DAEMON}.lazy_modules": Room(),
    PLUGINS: Room((f"{CORE}.api",), ("statsd",)),
    f"{PLUGINS}.redis_observer": Room((PLUGINS, f"{CORE}.api"), ("redis",)),
    f"{PLUGINS}.prometheus": Room((PLUGINS, f"{CORE}.api"), ("prometheus_client",)),
    f"{PLUGINS}._directories": Room((PLUGINS, f"{CORE}.api"), ("watchfiles",)),
    HTTPD: Room(
        (
            *(HTTPD, f"{CORE}.api", f"{PLUGINS}.commands._status_table"),
            *(f"{PLUGINS}.commands._option_words", f"{PLUGINS}.commands._output_entries"),
            f"{PLUGINS}.console_placement",
        ),
        ("starlette", "uvicorn", "uvicorn_worker", "jinja2", "markupsafe", "argon2", "zmq"),
    ),
    f"{PLUGINS}.fleet.etcd": Room((PLUGINS, f"{CORE}.api"), ("httpx",)),
    f"{PLUGINS}.importers.procfile": Room((PLUGINS, f"{CORE}.api"), ("dotenv",)),
    f"{PLUGINS}.importers._tree": Room((PLUGINS, f"{CORE}.api"), ("yaml",)),
    CLI: Room((f"{CORE}.api", f"{PLUGINS}.questions")),
    f"{CLI}.top.screen": Room((CLI, f"{CORE}.api"), ("rich", "textual")),
    f"{CLI}.circusd": Room(
        (
            *(CLI, f"{CORE}.api", f"{DAEMON}.lazy_modules"),
            *(f"{DAEMON}.config_source", f"{DAEMON}.main", f"{DAEMON}.kept"),
        )
    ),
    f"{CLI}.circusd_stats": Room((CLI, f"{CORE}.api", f"{HOSTING}.runner")),
    f"{CLI}.circushttpd": Room((CLI, HTTPD, f"{CORE}.api", f"{HOSTING}.runner")),
    f"{CLI}.circus_plugin": Room((CLI, f"{CORE}.api", f"{HOSTING}.runner")),
}
DOORS = {CORE: Room((CORE,))}
"""Modules that are a room of their own, without what lies below them."""

PURPOSES: Mapping[str, str] = {
    MODEL: "nouns: names, options (each declared once) and their reader, specs, events, errors",
    f"{CORE}.policy": "decisions, pure: the machine of a watcher, that of all watchers, rights",
    SYSTEM: "the only room that knows the operating system: processes, sockets, accounts, files",
    f"{SYSTEM}.env_files": "files of environment variables, such as .env",
    f"{CORE}.keeper": "what outlives the daemon: its children, pipes and sockets; no judgement",
    EXTEND: "what a package may bring, and how it is found: commands, plugins, streams, hooks",
    f"{CORE}.config": "text becomes types: sections with file and line, then specs or all problems",
    f"{CORE}.runtime": "the asyncio shell, without judgement: it does what the machines decide",
    REQUESTS: "whoever commands comes in here: rights, limits, audit, dispatch; knows no wire",
    CONTROL: "ZeroMQ: server, publisher, clients; who calls is told apart in ``peers``",
    f"{CONTROL}.endpoints": "who is let in at the endpoints of an engine",
    f"{CONTROL}.served_endpoints": "the control and the event endpoint while they are served",
    HOSTING: "how plugins come to run: where, by which program, and how they reach the daemon",
    f"{HOSTING}.runner": "the process of one plugin",
    f"{CORE}.embed": "the library: an engine inside another program",
    f"{CORE}.engine": "the composition: everything that one running supervisor is made of",
    f"{CORE}.stats_endpoint": "the endpoint of statistics, for the plugin that feeds it",
    f"{CORE}.api": "what plugins and programs may import, and nothing else",
    f"{CORE}.testing": "fakes for authors of commands and plugins",
    DAEMON: "the program around an engine: pid file, signals, log, the end",
    f"{DAEMON}.logs": "the daemon's own log",
    f"{DAEMON}.log_queue": "log records on their way out of the loop",
    f"{DAEMON}.syslog_target": "a syslog as target of the log",
    f"{DAEMON}.logger_config": "a logging configuration of the operator's",
    f"{DAEMON}.preflight": "what a configuration counts on and the machine may not have",
    f"{DAEMON}.trial_imports": "what others wrote, imported in child processes by a check",
    f"{DAEMON}.log_targets": "files as targets of the log",
    f"{DAEMON}.lazy_modules": "modules that the daemon's program loads when they are used",
    PLUGINS: "the features that come with the kernel: commands, formats, streams, plugins",
    f"{PLUGINS}.redis_observer": "asks Redis how it fares",
    f"{PLUGINS}.prometheus": "numbers for Prometheus",
    f"{PLUGINS}._directories": "changes in folders",
    HTTPD: "the web console and the HTTP interface, which act for the people who signed in",
    f"{PLUGINS}.fleet.etcd": "etcd over its JSON gateway",
    f"{PLUGINS}.importers.procfile": "reads a Procfile and its .env",
    f"{PLUGINS}.importers._tree": "YAML and JSON with the lines of their keys",
    CLI: "the programs, and how answers are shown",
    f"{CLI}.top.screen": "the live console",
    f"{CLI}.circusd": "the daemon's program",
    f"{CLI}.circusd_stats": "the program of statistics",
    f"{CLI}.circushttpd": "the program of the web console",
    f"{CLI}.circus_plugin": "the program that runs any plugin",
}
"""What lives in each room."""
