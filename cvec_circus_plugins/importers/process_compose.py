"""process-compose.yaml: processes of a shell's commands, which may wait for each other.

Who has to wait for another one is started after it by ``priority``, when the other one is ready.
Nothing is started again there unless the file says so.
"""

from __future__ import annotations

import os.path
import re
import shlex
from collections.abc import Mapping
from typing import Any

from cvec_circus_core.api import Imported, ImportedSection, ImportProblem, SourceLine, literal
from cvec_circus_plugins.importers._tree import (
    Node,
    count_from_zero,
    read_tree,
    scalar_text,
    seconds_text,
)

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)\}|\$(\w+)")
_RESTARTS = {
    "": {"respawn": "no"},
    "no": {"respawn": "no"},
    "false": {"respawn": "no"},
    "never": {"respawn": "no"},
    "always": {"respawn": "yes"},
    "on_failure": {"autorestart": "unexpected"},
    "exit_on_failure": {"autorestart": "unexpected"},
}
_LOST = {
    "liveness_probe": "see watchdog, or the http_observer plugin",
    "is_tty": "a process has no terminal",
    "is_interactive": "a process has no terminal",
    "is_foreground": "a process has no terminal",
    "is_daemon": "the program has to stay in the foreground",
    "log_configuration": "see the options of stdout_stream and stderr_stream",
    "log_configuration.rotation": "see stdout_stream.max_bytes and backup_count",
    "vars": "there are no templates; write the values down",
    "schedule": "run circusctl start from cron",
    "env_cmds": "no command gives a variable its value",
    "log_level": "see loglevel in [circus]",
    "is_strict": "circusd --check tells what it does not know",
}
_MEANINGLESS = (
    *("version", "description", "namespace", "disable_ansi_colors", "is_tui_disabled"),
    *("log_format", "disable_dotenv", "log_length", "name", "is_dotenv_disabled"),
)


class ProcessComposeImporter:
    """Reads a process-compose file."""

    name = "process-compose"
    summary = "a process-compose.yaml"

    def recognizes(self, path: str, text: str) -> bool:
        """Tell by its name, or by its processes."""
        is_yaml = path.endswith((".yaml", ".yml"))
        return is_yaml and bool(re.search(r"^processes\s*:", text, re.MULTILINE))

    def read(self, path: str, text: str) -> Imported:
        """Read it. Raises `ImportProblem`."""
        top = Node(path, "", read_tree(path, text))
        processes = top.node("processes")
        if not processes.values:
            raise ImportProblem("has no processes", SourceLine(path))
        imported = Imported(files=[path])
        shell = top.node("shell")
        words = [shell.text("shell_command") or "bash", shell.text("shell_argument") or "-c"]
        _set_variables(top, imported.daemon)
        nodes = {str(name): processes.node(name) for name in processes.values}
        names: dict[str, ImportedSection] = {}
        for name, node in nodes.items():
            names[name] = imported.add("watcher", name)
            _read_process(node, names[name], words, top.text("log_location"))
            _set_env_files(node, names[name], os.path.dirname(os.path.abspath(path)))
        _set_order(nodes, names)
        for node, section in [(top, imported.daemon), *((nodes[n], names[n]) for n in nodes)]:
            _lose_the_rest(node, section)
        return imported


def _read_process(node: Node, watcher: ImportedSection, shell: list[str], common_log: str) -> None:
    options = watcher.options
    command = node.take("command")
    entry = node.take("entrypoint")
    if isinstance(command, list) or (command is None and isinstance(entry, list)):
        words = command if isinstance(command, list) else entry
        options["cmd"] = shlex.join(str(word) for word in words or ())
    elif isinstance(command, str):
        # The file's own variables are replaced before the shell sees the rest.
        options["cmd"] = shlex.join([*shell, _replaced(command).rstrip("\n")])
    else:
        raise node.problem("command", "is missing" if command is None else "is no text")
    folder = os.path.dirname(os.path.abspath(node.path))
    options["working_dir"] = os.path.normpath(
        os.path.join(folder, os.path.expanduser(node.text("working_dir")))
    )
    if node.boolean("disabled") or node.values.get("schedule"):
        options["autostart"] = "no"
    count = node.number("replicas")
    if count is not None and count != 1:
        options["numprocesses"] = str(int(count))
        count_from_zero(watcher, {"PC_REPLICA_NUM": "0"})
    _set_variables(node, watcher)
    _set_life(node, watcher)
    if log := node.text("log_location") or common_log:
        options["stdout_stream.filename"] = os.path.join(options["working_dir"], log)
        options["redirect_stderr"] = "yes"


def _replaced(text: str) -> str:
    def variable(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        # Who starts the process gives it its variables: the shell replaces the same ones.
        return match[0] if name else "$"

    return _VARIABLE.sub(variable, text)


def _set_life(node: Node, watcher: ImportedSection) -> None:
    options = watcher.options
    availability = node.node("availability")
    word = availability.text("restart").lower()
    if word not in _RESTARTS:
        raise availability.problem("restart", f"is no way to restart: {word!r}")
    options.update(_RESTARTS[word])
    if pause := availability.number("backoff_seconds"):
        options["retry_pause"] = seconds_text(pause)
    if word == "exit_on_failure" or availability.boolean("exit_on_end"):
        key = "restart" if word == "exit_on_failure" else "exit_on_end"
        watcher.lose(availability.origin(key), "the others go on when this one ends")
    if availability.number("max_restarts"):
        sentence = "tries go on, with growing pauses; see max_retry and the flapping plugin"
        watcher.lose(availability.origin("max_restarts"), sentence)
    shutdown = node.node("shutdown")
    if (signal := shutdown.number("signal")) is not None:
        options["stop_signal"] = str(int(signal))
    options["graceful_timeout"] = seconds_text(shutdown.number("timeout_seconds") or 10)
    if shutdown.take("command") is not None:
        sentence = "a stop is stop_signal, then SIGKILL; see hooks.before_stop"
        watcher.lose(shutdown.origin("command"), sentence)
    if line := node.text("ready_log_line"):
        options["ready"] = f"log:{re.escape(line)}"
        options.setdefault("stdout_stream.class", "StdoutStream")
    elif (probe := node.take("readiness_probe")) is not None:
        _set_readiness(Node(node.path, node.origin("readiness_probe").key, probe), watcher)


def _set_readiness(probe: Node, watcher: ImportedSection) -> None:
    delay = probe.number("initial_delay_seconds") or 1
    watcher.options["ready"] = f"alive:{seconds_text(delay)}"
    for key in ("exec", "http_get"):
        if probe.take(key) is not None:
            sentence = "no probe is asked; ready says when a process counts as ready"
            watcher.lose(probe.origin(key), sentence)


def _set_env_files(node: Node, watcher: ImportedSection, folder: str) -> None:
    own = node.take("env_file")
    listed = own if isinstance(own, list) else [own] if own else []
    files = [os.path.join(folder, str(file)) for file in listed]
    if os.path.isfile(common := os.path.join(folder, ".env")) and common not in files:
        files.insert(0, common)
    if files:
        watcher.options["env_file"] = " ".join(map(shlex.quote, files))


def _set_variables(node: Node, section: ImportedSection) -> None:
    listed = node.take("environment")
    if isinstance(listed, Mapping):
        listed = [f"{name}={scalar_text(value)}" for name, value in listed.items()]
    if not isinstance(listed, list | None):
        raise node.problem("environment", "is no list of NAME=VALUE")
    origin = node.origin("environment")
    for pair in listed or ():
        name, equals, value = str(pair).partition("=")
        if not equals:
            raise node.problem("environment", f"has {pair!r}, which is no NAME=VALUE")
        section.set_variable(name, _with_ours(value), origin)


def _with_ours(text: str) -> str:
    parts = []
    end = 0
    for match in _VARIABLE.finditer(text):
        name = match[1] or match[2]
        parts += [literal(text[end : match.start()]), f"$(circus.env.{name})" if name else "$$"]
        end = match.end()
    return "".join([*parts, literal(text[end:])])


def _set_order(nodes: Mapping[str, Node], watchers: Mapping[str, ImportedSection]) -> None:
    needs: dict[str, dict[str, Any]] = {}
    for name, node in nodes.items():
        needs[name] = node.node("depends_on").values
        for needed, details in needs[name].items():
            origin = node.origin("depends_on")
            if needed not in nodes:
                raise node.problem("depends_on", f"names {needed!r}, which is no process")
            condition = details.get("condition", "") if isinstance(details, Mapping) else ""
            if condition.startswith("process_completed"):
                sentence = f"the end of {needed} is not waited for, only that it is ready"
                watchers[name].lose(origin, sentence)
    depths = {name: _depth(name, needs, nodes, ()) for name in nodes}
    deepest = max(depths.values())
    for name, depth in depths.items():
        if deepest:
            watchers[name].options["priority"] = str(deepest - depth)


def _depth(
    name: str,
    needs: Mapping[str, Mapping[str, Any]],
    nodes: Mapping[str, Node],
    below: tuple[str, ...],
) -> int:
    if name in below:
        circle = " -> ".join([*below[below.index(name) :], name])
        raise nodes[name].problem("depends_on", f"goes round in a circle: {circle}")
    return max((_depth(need, needs, nodes, (*below, name)) + 1 for need in needs[name]), default=0)


def _lose_the_rest(node: Node, section: ImportedSection) -> None:
    for key in sorted(node.unread.difference(_MEANINGLESS)):
        if node.values[key] not in (False, None, "", [], {}):
            section.lose(node.origin(key), _LOST.get(key, "there is nothing like this"))
