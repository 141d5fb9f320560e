"""Service units of systemd, with the socket unit beside them.

A template's ``%i`` becomes the number of the process. Variables in commands are replaced here as
there, when the process starts. What the kernel shuts in (namespaces, control groups) has to be done
around the daemon, so each such setting is named as lost.
"""

from __future__ import annotations

import glob
import os.path
import re
import shlex

from cvec_circus_core.api import (
    Imported,
    ImportedSection,
    ImportProblem,
    SourceLine,
    literal,
)
from cvec_circus_plugins.importers._systemd_settings import (
    KNOWN,
    LIMITS,
    LOST,
    PLAIN,
    PREFIXES_OF_THE_KERNEL,
    RESTARTS,
    seconds_of,
)
from cvec_circus_plugins.importers._systemd_specifiers import lose_specifiers, specified
from cvec_circus_plugins.importers._unit_file import (
    Setting,
    UnitFile,
    open_unit,
    read_unit,
    unit_commands,
    unit_words,
)

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)\}|\$(\w+)")
_SERVICE = "Service"
_FOR_EVER = "365d"


class SystemdImporter:
    """Reads a service unit."""

    name = "systemd"
    summary = "a service unit of systemd"

    def recognizes(self, path: str, text: str) -> bool:
        """Tell by its suffix, or by its section."""
        return path.endswith(".service") or bool(re.search(r"^\[Service\]", text, re.MULTILINE))

    def read(self, path: str, text: str) -> Imported:
        """Read it, and the socket unit beside it. Raises `ImportProblem`."""
        imported = Imported(files=[path])
        unit = read_unit(path, text)
        for file in sorted(glob.glob(f"{glob.escape(path)}.d/*.conf")):
            unit.extend(open_unit(file))
            imported.files.append(file)
        name = os.path.basename(path).removesuffix(".service")
        watcher = imported.add("watcher", name.partition("@")[0])
        if description := unit.text("Unit", "Description"):
            watcher.comments.append(specified(description, unit))
        _set_command(unit, watcher)
        _set_plain(unit, watcher)
        _set_life(unit, watcher)
        _set_output(unit, watcher)
        _set_variables(unit, watcher)
        lose_specifiers(unit, watcher)
        _lose_the_rest(unit, watcher)
        _add_socket(imported, path, watcher)
        return imported


def _set_command(unit: UnitFile, watcher: ImportedSection) -> None:
    settings = unit.all(_SERVICE, "ExecStart")
    if not settings:
        raise ImportProblem(f"{unit.path}: [Service] has no ExecStart")
    commands = [
        _command(words, setting, unit, watcher)
        for setting in settings
        for words in unit_commands(setting)
    ]
    if len(commands) == 1:
        watcher.options["cmd"] = commands[0]
    else:
        watcher.options |= {"cmd": " && ".join(commands), "shell": "yes"}


def _command(words: list[str], setting: Setting, unit: UnitFile, watcher: ImportedSection) -> str:
    program = words[0].lstrip("@-:+!") if words else ""
    if not program:
        raise ImportProblem("names no program", setting.origin)
    prefix = words[0][: len(words[0]) - len(program)]
    if "@" in prefix and len(words) > 1:
        watcher.options["executable"] = program
        words = words[1:]
        program = words[0]
    if "+" in prefix or "!" in prefix:
        watcher.lose(setting.origin, "the command runs with the rights of the watcher's user")
    text = shlex.join([program, *words[1:]]) if ":" in prefix else _joined([program, *words[1:]])
    return specified(text, unit, "$(circus.wid)")


def _joined(words: list[str]) -> str:
    """Join words, with their variables as ours; one that stands alone may become several words."""
    parts = []
    for word in words:
        if re.fullmatch(r"\$\w+", word):
            parts.append(f"$(circus.env.{word[1:]})")
            continue
        quoted = shlex.quote(word) if _VARIABLE.search(word) is None else f'"{_escaped(word)}"'
        parts.append(_VARIABLE.sub(_variable, quoted))
    return " ".join(parts)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def _variable(match: re.Match[str]) -> str:
    name = match[1] or match[2]
    return f"$(circus.env.{name})" if name else "$"


def _set_plain(unit: UnitFile, watcher: ImportedSection) -> None:
    for key, ours in PLAIN.items():
        if setting := unit.last(_SERVICE, key):
            watcher.options[ours] = (
                specified(setting.value, unit).lower()
                if (ours == "no_new_privs")
                else specified(setting.value, unit)
            )
    folder = watcher.options.get("working_dir", "/").removeprefix("-")
    user = unit.text(_SERVICE, "User") or "root"
    watcher.options["working_dir"] = os.path.expanduser(f"~{user}") if folder == "~" else folder
    for key, ours in LIMITS.items():
        if setting := unit.last(_SERVICE, key):
            watcher.options[ours] = setting.value.rpartition(":")[2]
    if setting := unit.last(_SERVICE, "CapabilityBoundingSet") or unit.last(
        _SERVICE, "AmbientCapabilities"
    ):
        if setting.value.startswith("~"):
            watcher.lose(setting.origin, "capabilities lists those that there are, not the others")
        else:
            watcher.options["capabilities"] = setting.value


def _set_life(unit: UnitFile, watcher: ImportedSection) -> None:
    options = watcher.options
    kind = unit.text(_SERVICE, "Type", "simple").lower()
    if kind in ("notify", "notify-reload"):
        options["ready"] = "notify"
    if kind in ("forking", "dbus", "idle"):
        setting = unit.last(_SERVICE, "Type")
        assert setting
        watcher.lose(setting.origin, LOST[f"Type={kind}"])
    restart = unit.text(_SERVICE, "Restart", "no").lower()
    if restart not in RESTARTS:
        setting = unit.last(_SERVICE, "Restart")
        raise ImportProblem(
            f"is no way to restart: {restart!r}", setting.origin if setting else None
        )
    options.update(RESTARTS[restart])
    if options.get("autorestart"):
        keys = ("SuccessExitStatus", "RestartPreventExitStatus")
        words = [word for key in keys for word in unit.text(_SERVICE, key).split()]
        codes = dict.fromkeys(["0", *filter(str.isdecimal, words)])
        if other_words := [word for word in words if not word.isdecimal()]:
            sentence = f"only numbers are exit codes: {' '.join(other_words)}"
            watcher.lose(_origin(unit, *keys), sentence)
        options["exit_codes"] = " ".join(codes)
    _set_times(unit, options)
    mode = unit.text(_SERVICE, "KillMode", "control-group")
    if mode == "control-group":
        options["stop_children"] = "yes"
    elif mode != "mixed":
        watcher.lose(_origin(unit, "KillMode"), "a process that goes takes its descendants along")
    reload = unit.last(_SERVICE, "ExecReload")
    if reload or kind == "notify-reload":
        if reload is None or re.search(
            r"kill\s+(-s\s+|-)(SIG)?(HUP|1)\s+\$\{?MAINPID", reload.value
        ):
            options["send_hup"] = "yes"
        elif reload:
            watcher.lose(reload.origin, "a reload replaces the processes; see hooks.before_signal")


def _set_times(unit: UnitFile, options: dict[str, str]) -> None:
    for key, ours, default in (
        ("TimeoutStopSec", "graceful_timeout", "90"),
        ("TimeoutStartSec", "ready_timeout", ""),
        ("RestartSec", "retry_pause", ""),
        ("WatchdogSec", "watchdog", ""),
    ):
        setting = unit.last(_SERVICE, key) or unit.last(_SERVICE, "TimeoutSec")
        text = (
            setting.value if setting and (key[:7] == "Timeout" or setting.key == key) else default
        )
        if text.lower() in ("infinity", "0"):
            if ours.endswith("_timeout"):
                options[ours] = _FOR_EVER
        elif text:
            options[ours] = seconds_of(text, setting)
    if unit.text(_SERVICE, "SendSIGKILL").lower() in ("no", "false", "off", "0"):
        options["graceful_timeout"] = _FOR_EVER


def _origin(unit: UnitFile, *keys: str) -> SourceLine:
    settings = [setting for key in keys if (setting := unit.last(_SERVICE, key))]
    return settings[0].origin


def _set_output(unit: UnitFile, watcher: ImportedSection) -> None:
    for channel, key in (("stdout", "StandardOutput"), ("stderr", "StandardError")):
        setting = unit.last(_SERVICE, key)
        if setting is None:
            continue
        kind, _, place = setting.value.partition(":")
        if kind == "null":
            watcher.options[f"close_child_{channel}"] = "yes"
        elif kind in ("file", "append", "truncate"):
            watcher.options[f"{channel}_stream.filename"] = specified(place, unit)
        elif kind not in ("journal", "inherit", "syslog", "journal+console", "syslog+console"):
            watcher.lose(
                setting.origin, "output goes to a file, to syslog, or where circusd's goes"
            )


def _set_variables(unit: UnitFile, watcher: ImportedSection) -> None:
    for setting in unit.all(_SERVICE, "Environment"):
        for pair in unit_words(setting):
            name, equals, value = pair.partition("=")
            if not equals:
                raise ImportProblem(f"has {pair!r}, which is no NAME=VALUE", setting.origin)
            text = specified(literal(value), unit, "$(circus.wid)")
            watcher.set_variable(name, text, setting.origin)
    files = [specified(setting.value, unit) for setting in unit.all(_SERVICE, "EnvironmentFile")]
    if files:
        watcher.options["env_file"] = " ".join(files)


def _lose_the_rest(unit: UnitFile, watcher: ImportedSection) -> None:
    for section, settings in unit.sections.items():
        for setting in settings:
            if section == "Install" or setting.key in KNOWN or not setting.value:
                continue
            sentence = LOST.get(setting.key)
            if sentence is None and setting.key.startswith(PREFIXES_OF_THE_KERNEL):
                sentence = "this shuts in one unit; give it to the unit that runs circusd"
            watcher.lose(setting.origin, sentence or "there is nothing like this")


def _add_socket(imported: Imported, path: str, watcher: ImportedSection) -> None:
    socket_path = f"{path.removesuffix('.service')}.socket"
    if not path.endswith(".service") or not os.path.isfile(socket_path):
        return
    unit = open_unit(socket_path)
    imported.files.append(socket_path)
    names = []
    for setting in unit.all("Socket", "ListenStream"):
        section = imported.add("socket", watcher.name)
        names.append(section.name)
        host, _, port = setting.value.rpartition(":")
        if setting.value.startswith("/"):
            section.options |= {"path": setting.value, "replace": "yes"}
        elif port.isdecimal():
            section.options |= {"host": host.strip("[]") or "0.0.0.0", "port": port}  # noqa: S104
            if ":" in host:
                section.options["family"] = "AF_INET6"
        else:
            raise ImportProblem(f"is no path or port: {setting.value!r}", setting.origin)
        for key, ours in (("SocketMode", "mode"), ("SocketUser", "owner"), ("Backlog", "backlog")):
            if value := unit.text("Socket", key):
                section.options[ours] = value
    if names:
        watcher.options |= {"sockets": " ".join(names), "on_demand": "yes"}
