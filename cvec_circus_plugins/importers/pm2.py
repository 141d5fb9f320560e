"""The ecosystem file of pm2: JSON, YAML, or JavaScript that node evaluates.

pm2 stops with SIGINT and waits 1.6 seconds; it tries a program sixteen times and then leaves it.
What runs a script follows its suffix. In its cluster mode node's own master shares the port, which
has no counterpart but a managed socket.
"""

from __future__ import annotations

import os
import re
import shlex

from cvec_circus_core.api import Imported, ImportedSection, ImportProblem, SourceLine, literal
from cvec_circus_plugins.importers._javascript import evaluated
from cvec_circus_plugins.importers._tree import (
    Node,
    count_from_zero,
    read_tree,
    scalar_text,
    seconds_text,
)

_INTERPRETERS = {
    ".js": "node",
    ".mjs": "node",
    ".cjs": "node",
    ".py": "python3",
    ".rb": "ruby",
    ".pl": "perl",
    ".php": "php",
    ".sh": "bash",
    ".ts": "bun",
    ".coffee": "coffee",
}
_KILL_TIMEOUT = 1600.0
_JAVASCRIPT = (".js", ".cjs", ".mjs")
_EVERY_CORE = ("max", "0", "-1")
_LOST = {
    "watch": "nothing watches files; the command_reloader plugin reloads for a changed program",
    "ignore_watch": "nothing watches files",
    "watch_options": "nothing watches files",
    "watch_delay": "nothing watches files",
    "cron_restart": "run circusctl restart from cron, or see max_age",
    "cron": "run circusctl restart from cron, or see max_age",
    "max_restarts": "tries go on, with growing pauses; see max_retry and the flapping plugin",
    "shutdown_with_message": "a stop is a signal; let the program handle SIGINT",
    "log_type": "use stdout_stream.class = JsonStream",
    "pid_file": "there are no pid files of processes; see circusctl list",
    "filter_env": "set copy_env = no and write down what is needed",
    "source_map_support": "give node --enable-source-maps in cmd",
    "trace": "there is no tracing",
    "pmx": "there is no tracing",
    "automation": "there is no tracing",
    "deploy": "see the page about releases and roll-backs",
    "namespace": "there are no namespaces; patterns name several: circusctl restart 'web*'",
    "post_update": "see the page about releases and roll-backs",
}
_MEANINGLESS = (
    *("vizion", "autorestart", "combine_logs", "merge_logs", "treekill", "version"),
    *("append_env_to_name", "force", "kill_retry_time", "exec_mode", "username", "uuid"),
)


class Pm2Importer:
    """Reads an ecosystem file."""

    name = "pm2"
    summary = "an ecosystem file of pm2"

    def recognizes(self, path: str, text: str) -> bool:
        """Tell by a name such as ecosystem.config.js, or by a list of apps with scripts."""
        name = os.path.basename(path).lower()
        if name.endswith(_JAVASCRIPT):
            return "apps" in text
        is_listing = re.search(r"""^\W*apps["']?\s*:""", text, re.MULTILINE)
        has_scripts = name.endswith(".json") and re.search(r'"script"\s*:', text)
        return bool(is_listing or has_scripts)

    def read(self, path: str, text: str) -> Imported:
        """Read it. Raises `ImportProblem`."""
        is_script = path.endswith(_JAVASCRIPT) or _is_commented(path, text)
        tree = read_tree(path, evaluated(path), lines=False) if is_script else read_tree(path, text)
        imported = Imported(files=[path])
        if isinstance(tree, dict) and "apps" in tree:
            top = Node(path, "", tree)
            apps = top.take("apps")
            for key in sorted(top.unread):
                sentence = _LOST.get(key, "there is nothing like this")
                imported.daemon.lose(top.origin(key), sentence)
        else:
            apps = tree
        if isinstance(apps, dict):
            apps = [apps]
        if not isinstance(apps, list) or not apps:
            raise ImportProblem("has no list of apps", SourceLine(path))
        for number, app in enumerate(apps):
            _read_app(imported, Node(path, f"apps[{number}]", app))
        return imported


def _is_commented(path: str, text: str) -> bool:
    """Tell whether a file of JSON has comments, which pm2 reads as JavaScript."""
    return path.endswith(".json") and bool(re.search(r"^[^\"]*(//|/\*)", text, re.MULTILINE))


def _read_app(imported: Imported, app: Node) -> None:
    script = app.text("script")
    if not script:
        raise app.problem("script", "is missing")
    name = app.text("name") or os.path.splitext(os.path.basename(script.rstrip("/")))[0]
    watcher = imported.add("watcher", name)
    folder = os.path.dirname(os.path.abspath(app.path))
    cwd = os.path.join(folder, os.path.expanduser(app.text("cwd")))
    options = watcher.options
    options["cmd"] = _command(app, watcher, script, cwd)
    options["working_dir"] = os.path.normpath(cwd)
    _set_instances(app, watcher)
    _set_stops_and_restarts(app, watcher)
    _set_output(app, watcher)
    _set_variables(app, watcher)
    for key, ours in (("uid", "uid"), ("user", "uid"), ("gid", "gid")):
        if value := app.text(key):
            options[ours] = value
    if size := app.text("max_memory_restart"):
        plugin = imported.add("plugin", f"memory-{watcher.name}")
        limit = int(size) // 2**20 or 1 if size.isdecimal() else size
        plugin.options |= {
            "use": "resource_watcher",
            "watcher": watcher.name,
            "max_mem": f"{limit}M" if isinstance(limit, int) else limit,
            "action": "replace",
            "max_cpu": "",
            "health_threshold": "",
        }
    for key in sorted(app.unread.difference(_MEANINGLESS)):
        if app.values[key] not in (False, None, "", [], {}):
            watcher.lose(app.origin(key), _LOST.get(key, "there is nothing like this"))


def _is_cluster(app: Node) -> bool:
    mode = app.text("exec_mode")
    return mode.startswith("cluster") or (not mode and "instances" in app.values)


def _command(app: Node, watcher: ImportedSection, script: str, cwd: str) -> str:
    words = _words(app, "interpreter_args", "node_args", "exec_interpreter_args")
    arguments = _words(app, "args")
    interpreter = app.text("interpreter", "exec_interpreter")
    first = shlex.split(script)
    path = os.path.join(cwd, os.path.expanduser(script))
    if os.path.isfile(path):
        first = [os.path.normpath(path)]
    if script == "serve" and not os.path.isfile(path):
        watcher.lose(app.origin("script"), "serve is pm2's own; run a web server for the files")
    if not interpreter and _is_cluster(app):
        interpreter = "node"
    if not interpreter:
        interpreter = _INTERPRETERS.get(os.path.splitext(first[0])[1], "none")
    runner = [] if interpreter == "none" else [interpreter, *words]
    return shlex.join([*runner, *first, *arguments])


def _words(app: Node, *keys: str) -> list[str]:
    value = app.take(*keys)
    if value is None:
        return []
    if isinstance(value, list):
        return [str(word) for word in value]
    try:
        return shlex.split(str(value))
    except ValueError as error:
        raise app.problem(keys[0], f"can not be split: {error}") from None


def _set_instances(app: Node, watcher: ImportedSection) -> None:
    text = app.text("instances") or "1"
    mode = app.text("exec_mode")
    count = os.cpu_count() or 1 if text in _EVERY_CORE else text
    if not re.fullmatch(r"-?\d+", str(count)):
        raise app.problem("instances", f"is neither a number nor max: {text!r}")
    number = int(count)
    number = max(1, (os.cpu_count() or 1) + number) if number < 0 else number
    _number_processes(app, watcher, number)
    if _is_cluster(app) and number != 1:
        watcher.lose(
            app.origin("exec_mode" if mode else "instances"),
            "node's cluster mode shares the port; here let a [socket:NAME] hold it, and listen at "
            "$(circus.sockets.NAME)",
        )


def _number_processes(app: Node, watcher: ImportedSection, number: int) -> None:
    """Give each process its number from 0 on, in the variables that pm2 gives it in."""
    variable = app.text("instance_var") or "NODE_APP_INSTANCE"
    counted = app.text("increment_var")
    if number == 1:
        watcher.env.setdefault(variable, "0")
        return
    first = scalar_text(app.values.get("env", {}).get(counted)) if counted else None
    if counted and not (first or "").isdecimal():
        watcher.lose(app.origin("increment_var"), f"env has no number for {counted}")
        counted = ""
    watcher.options["numprocesses"] = str(number)
    count_from_zero(watcher, {variable: "0"} | ({counted: str(first)} if counted else {}))


def _set_stops_and_restarts(app: Node, watcher: ImportedSection) -> None:
    options = watcher.options
    options["stop_signal"] = "INT"
    timeout = app.number("kill_timeout")
    options["graceful_timeout"] = seconds_text((timeout or _KILL_TIMEOUT) / 1000)
    if app.boolean("autorestart") is False:
        options["respawn"] = "no"
    elif codes := app.take("stop_exit_codes"):
        listed = codes if isinstance(codes, list) else [codes]
        options["autorestart"] = "unexpected"
        options["exit_codes"] = " ".join(map(str, listed))
    if pause := app.number("restart_delay"):
        options["retry_pause"] = seconds_text(pause / 1000)
    elif pause := app.number("exp_backoff_restart_delay"):
        options["retry_pause"] = seconds_text(pause / 1000)
        options["retry_pause_max"] = "15"
    if app.boolean("wait_ready"):
        watcher.lose(
            app.origin("wait_ready"),
            "process.send('ready') is not heard; ready = auto sees when it waits on its managed "
            "socket, and ready = notify hears READY=1",
        )
    if wait := app.number("listen_timeout"):
        options["ready_timeout"] = seconds_text(wait / 1000)
    if up := app.take("min_uptime"):
        seconds = _milliseconds(app, "min_uptime", up) / 1000
        options["stable_after"] = seconds_text(seconds)


def _milliseconds(app: Node, key: str, value: object) -> float:
    units = {"": 1.0, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", str(value))
    if match is None:
        raise app.problem(key, f"is no time: {value!r}")
    return float(match[1]) * units[match[2]]


def _set_output(app: Node, watcher: ImportedSection) -> None:
    common = app.text("log_file", "log")
    files = {
        "stdout": app.text("out_file", "output", "out") or common,
        "stderr": app.text("error_file", "error", "err_file", "err") or common,
    }
    stamp = app.text("log_date_format") or ("YYYY-MM-DDTHH:mm:ss" if app.boolean("time") else "")
    if app.boolean("disable_logs"):
        files = dict.fromkeys(files, "/dev/null")
    for channel, file in files.items():
        if file in ("/dev/null", "NULL"):
            watcher.options[f"close_child_{channel}"] = "yes"
        elif file:
            path = os.path.join(watcher.options["working_dir"], os.path.expanduser(file))
            watcher.options[f"{channel}_stream.filename"] = path
            if stamp:
                watcher.options[f"{channel}_stream.time_format"] = _time_format(stamp)


def _time_format(stamp: str) -> str:
    words = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
    words |= {"SSS": "%f", "Z": "%z", "YY": "%y", "hh": "%I", "A": "%p"}
    return re.sub(r"YYYY|SSS|YY|MM|DD|HH|hh|mm|ss|Z|A", lambda match: words[match[0]], stamp)


def _set_variables(app: Node, watcher: ImportedSection) -> None:
    if file := app.text("env_file"):
        watcher.options["env_file"] = file
    env = app.node("env")
    for name in env.values:
        text = scalar_text(env.values[name])
        if text is None:
            raise env.problem(name, f"is no text: {env.values[name]!r}")
        watcher.set_variable(str(name), literal(text), env.origin(name))
    for key in sorted(key for key in app.unread if key.startswith("env_")):
        app.take(key)
        sentence = "stands for another environment; write it to a file of its own, with env"
        watcher.lose(app.origin(key), sentence)
