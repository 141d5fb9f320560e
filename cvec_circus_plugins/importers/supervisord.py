"""supervisord.conf: programs, FastCGI programs, groups, included files.

Its defaults are not ours, so some are written out: how long a stop may take, and which exits are
answered. A number is the order of starting there, lowest first, and here, highest first.
"""

from __future__ import annotations

import os.path
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from cvec_circus_core.api import Imported, ImportedSection, ImportProblem
from cvec_circus_plugins.importers._supervisord_file import (
    FALSE,
    NO_VALUES,
    TRUE,
    SupervisorSection,
    read_sections,
)
from cvec_circus_plugins.importers._supervisord_sockets import add_socket

_LAST = 999
"""The number of a program that says none; others come before it."""
_PROGRAMS = ("program:", "fcgi-program:")
_OF_ONE_PROCESS = re.compile(r"%\((process_num|group_name)\)")

_PLAIN = {
    "directory": "working_dir",
    "user": "uid",
    "umask": "umask",
    "stopsignal": "stop_signal",
}
_YES_OR_NO = {
    "autostart": "autostart",
    "redirect_stderr": "redirect_stderr",
    "stopasgroup": "stop_children",
}
_LOST = {
    "startretries": "tries go on, with growing pauses; see max_retry and the flapping plugin",
    "serverurl": "processes are told nothing of the daemon",
    "stdout_capture_maxbytes": "there is no capture mode; processes can publish nothing so",
    "stderr_capture_maxbytes": "there is no capture mode; processes can publish nothing so",
    "stdout_events_enabled": "output is no event; circusctl tail -f follows it",
    "stderr_events_enabled": "output is no event; circusctl tail -f follows it",
}
_READ = frozenset(
    (
        *("command", "process_name", "numprocs", "numprocs_start", "priority", "startsecs"),
        *("autorestart", "exitcodes", "stopwaitsecs", "killasgroup", "environment"),
        *("socket", "socket_owner", "socket_mode", "socket_backlog"),
        *("stdout_logfile", "stdout_logfile_maxbytes", "stdout_logfile_backups", "stdout_syslog"),
        *("stderr_logfile", "stderr_logfile_maxbytes", "stderr_logfile_backups", "stderr_syslog"),
        *_PLAIN,
        *_YES_OR_NO,
        *_LOST,
    )
)
_LOG_LEVELS = {"warn": "warning", "trace": "debug", "blather": "debug"}
_OF_THE_SERVER = ("unix_http_server", "supervisorctl", "rpcinterface:supervisor")
_DAEMON_LOST = {
    "logfile_maxbytes": "let logrotate rotate the daemon's log; it follows by itself",
    "logfile_backups": "let logrotate rotate the daemon's log; it follows by itself",
    "user": "start circusd as this user",
    "minfds": "give the service a limit (LimitNOFILE), or watchers rlimit_nofile",
    "minprocs": "give the service a limit (LimitNPROC), or watchers rlimit_nproc",
    "strip_ansi": "output is kept as it is",
    "identifier": "there is no such name",
    "childlogdir": "output without a file is kept for circusctl tail, and passed on",
    "nocleanup": "there are no automatic files to clean up",
}


@dataclass
class _Reading:
    """One configuration on its way."""

    sections: dict[str, SupervisorSection]
    imported: Imported
    group_of: dict[str, str] = field(default_factory=dict)
    group_priority: dict[str, str] = field(default_factory=dict)
    directory: str = ""


class SupervisordImporter:
    """Reads the configuration of Supervisor."""

    name = "supervisord"
    summary = "a supervisord.conf"

    def recognizes(self, path: str, text: str) -> bool:
        """Tell by its name or its sections."""
        if os.path.basename(path) == "supervisord.conf":
            return True
        return bool(re.search(r"^\[(supervisord|(fcgi-)?program:[^\]]+)\]", text, re.MULTILINE))

    def read(self, path: str, text: str) -> Imported:
        """Read it with what it includes. Raises `ImportProblem`."""
        sections = read_sections(path, text)
        files = [path, *sorted({section.file for section in sections.values()} - {path})]
        reading = _Reading(sections, Imported(files=files))
        _read_daemon(reading)
        _read_groups(reading)
        for name, section in sections.items():
            if name.startswith(_PROGRAMS):
                _read_program(reading, section)
            elif not name.startswith(("group:", "supervisord")) and name not in _OF_THE_SERVER:
                _lose_section(reading, section)
        return reading.imported


def _read_daemon(reading: _Reading) -> None:
    section = reading.sections.get("supervisord")
    daemon = reading.imported.daemon
    if section is None:
        return
    reading.directory = os.path.expanduser(section.expanded("directory"))
    for key in section.options:
        value = section.expanded(key) if key != "environment" else ""
        match key:
            case "pidfile" | "umask":
                daemon.options[key] = value
            case "logfile":
                daemon.options["logoutput"] = "-" if value == "/dev/stdout" else value
            case "loglevel":
                daemon.options[key] = _LOG_LEVELS.get(value.lower(), value.lower())
            case "environment":
                _set_variables(section, daemon)
            case _ if key in _DAEMON_LOST:
                daemon.lose(section.origin(key), _DAEMON_LOST[key])


def _read_groups(reading: _Reading) -> None:
    for name, section in reading.sections.items():
        if not name.startswith("group:"):
            continue
        group = name.partition(":")[2]
        programs = [word.strip() for word in section.expanded("programs").split(",")]
        daemon = reading.imported.daemon
        daemon.comments.append(f"group {group}: circusctl restart {' '.join(programs)}")
        for program in programs:
            reading.group_of[program] = group
            if "priority" in section.options:
                reading.group_priority[program] = section.expanded("priority")


def _lose_section(reading: _Reading, section: SupervisorSection) -> None:
    kind = section.name.partition(":")[0]
    sentences = {
        "eventlistener": "subscribe to the event endpoint, or write a plugin (CircusPlugin)",
        "inet_http_server": "circusctl reaches the daemon at endpoint; from elsewhere by key",
    }
    sentence = sentences.get(kind, "there is nothing like this section")
    reading.imported.daemon.lose(section.origin(), sentence)


def _read_program(reading: _Reading, section: SupervisorSection) -> None:
    program = section.name.partition(":")[2].strip()
    if not section.options.get("command", "").strip():
        raise ImportProblem("has no command", section.origin())
    values = {"program_name": program, "group_name": reading.group_of.get(program, program)}
    count = section.integer("numprocs", 1, values)
    first = section.integer("numprocs_start", 0, values)
    differ = any(
        _OF_ONE_PROCESS.search(value)
        for key, value in section.options.items()
        if key != "process_name"
    )
    if count == 1 or not differ:
        watcher = reading.imported.add("watcher", program)
        if count != 1:
            watcher.options["numprocesses"] = str(count)
        _fill(reading, section, watcher, {**values, "process_num": first, "numprocs": count})
        return
    for number in range(first, first + count):
        of_process = {**values, "process_num": number, "numprocs": count}
        name = section.expanded("process_name", of_process, "%(program_name)s")
        watcher = reading.imported.add("watcher", name)
        if number == first:
            reason = "a watcher for each process, because its number stands in its options"
            watcher.comments.append(f"[{section.name}] numprocs = {count}: {reason}")
        _fill(reading, section, watcher, of_process)


def _fill(
    reading: _Reading,
    section: SupervisorSection,
    watcher: ImportedSection,
    values: Mapping[str, object],
) -> None:
    options = watcher.options
    command = section.expanded("command", values)
    _check_command(command, section)
    watcher.options = {"cmd": " ".join(command.split("\n")), **options}
    options = watcher.options
    if reading.directory:
        options["working_dir"] = reading.directory
    for key in section.options:
        if key in _PLAIN:
            options[_PLAIN[key]] = os.path.expanduser(section.expanded(key, values))
        elif key in _YES_OR_NO:
            options[_YES_OR_NO[key]] = "yes" if section.boolean(key) else "no"
        elif key in _LOST and section.options[key].lower() not in FALSE:
            watcher.lose(section.origin(key), _LOST[key])
        elif key not in _READ:
            watcher.lose(section.origin(key), "there is nothing like this")
    options["graceful_timeout"] = section.expanded("stopwaitsecs", values, "10")
    seconds = section.integer("startsecs", 1, values)
    if seconds != 1:
        options["ready"] = f"alive:{seconds}" if seconds else "spawned"
    _set_priority(reading, section, options, values)
    _set_restarts(section, watcher, values)
    is_joined = options.get("redirect_stderr") == "yes"
    for channel in ("stdout",) if is_joined else ("stdout", "stderr"):
        _set_stream(section, watcher, channel, values)
    _set_variables(section, watcher, values)
    if section.name.startswith("fcgi-program:"):
        add_socket(reading.imported, section, watcher, values)


def _check_command(command: str, section: SupervisorSection) -> None:
    try:
        shlex.split(command)
    except ValueError as error:
        raise ImportProblem(f"can not be split: {error}", section.origin("command")) from None


def _set_priority(
    reading: _Reading,
    section: SupervisorSection,
    options: dict[str, str],
    values: Mapping[str, object],
) -> None:
    number = reading.group_priority.get(str(values["program_name"]))
    if number is None and "priority" in section.options:
        number = section.expanded("priority", values)
    if number is None:
        return
    try:
        options["priority"] = str(_LAST - int(number))
    except ValueError:
        raise ImportProblem(f"is no number: {number!r}", section.origin("priority")) from None


def _set_restarts(
    section: SupervisorSection, watcher: ImportedSection, values: Mapping[str, object]
) -> None:
    word = section.expanded("autorestart", values, "unexpected").lower()
    if word == "unexpected":
        codes = section.expanded("exitcodes", values, "0").replace(",", " ").split()
        watcher.options |= {"autorestart": "unexpected", "exit_codes": " ".join(codes)}
    else:
        watcher.options["autorestart"] = "yes" if section.boolean("autorestart") else "no"


def _set_stream(
    section: SupervisorSection, watcher: ImportedSection, channel: str, values: Mapping[str, object]
) -> None:
    key = f"{channel}_logfile"
    file = section.expanded(key, values)
    options = watcher.options
    if section.expanded(f"{channel}_syslog", values, "no").lower() in TRUE or file == "syslog":
        options[f"{channel}_stream.class"] = "SyslogStream"
    elif file.upper() == "NONE":
        options[f"close_child_{channel}"] = "yes"
    elif file and file.upper() != "AUTO" and not file.startswith("/dev/"):
        options[f"{channel}_stream.filename"] = os.path.expanduser(file)
        size = section.expanded(f"{key}_maxbytes", values, "50MB")
        if size.strip("0BKMGbkmg"):
            backups = section.integer(f"{key}_backups", 10, values)
            options[f"{channel}_stream.max_bytes"] = size
            options[f"{channel}_stream.backup_count"] = str(backups or 1)


def _set_variables(
    section: SupervisorSection, target: ImportedSection, values: Mapping[str, object] = NO_VALUES
) -> None:
    text = section.variable_text("environment", values)
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",\n", True, ""
    origin = section.origin("environment")
    try:
        pairs = [item.strip() for item in lexer]
    except ValueError as error:
        raise ImportProblem(f"can not be split: {error}", origin) from None
    for pair in filter(None, pairs):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ImportProblem(f"has {pair!r}, which is no KEY=VALUE", origin)
        target.set_variable(name.strip(), value.strip(), origin)
