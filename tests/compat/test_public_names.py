"""Every name that public programs were seen to use, as they use it, on the older release, too."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.compat.conftest import Library
from tests.compat.prelude import PRELUDE, Program
from tests.compat.uses_of_arbiters import ARBITERS
from tests.compat.uses_of_clients import CLIENTS
from tests.compat.uses_of_util import UTIL

pytestmark = pytest.mark.live

NAMES = """
    get_arbiter client.CircusClient plugins.CircusPlugin arbiter.Arbiter
    util.DEFAULT_ENDPOINT_DEALER exc.CallError logger watcher.Watcher sockets.CircusSocket
    pidfile.Pidfile circusd.daemonize util.configure_logger util.DEFAULT_ENDPOINT_SUB
    util.check_future_exception_and_log process.Process commands.get_commands
    util.DEFAULT_ENDPOINT_STATS util.DEFAULT_ENDPOINT_MULTICAST plugins.statsd.StatsdClient
    plugins.statsd.BaseObserver client.AsyncCircusClient client.make_message exc.ConflictError
    exc.ArgumentError exc.MessageError commands.base.Command stats.client.StatsClient
    stream.get_stream stream.file_stream util.human2bytes util.to_str util.get_connection
    util.LOG_LEVELS arbiter.ThreadedArbiter process.RUNNING process.DEAD_OR_ZOMBIE
    process.UNEXISTING process.OTHER plugins.get_plugin_cmd circusd.main circusctl.main
    config.get_config __version__
    util.resolve_name util.tornado_sleep util.bytes2human util.to_uid util.to_gid
    util.IS_WINDOWS util.get_working_dir util.env_to_str circusd.get_maxfd fixed_threading.Thread
    commands.base.ok consumer.CircusConsumer
"""
"""What was seen. ``version_info``, which the last release has no more, is in test_names."""

PROGRAMS: dict[str, Program] = {**ARBITERS, **CLIENTS, **UTIL}
ONLY_OURS = ("arbiter.ThreadedArbiter",)
"""What the last release could not do any more."""
_FILE = "stdout_stream.filename = {}.log\n"
STREAMS = {
    "FileStream": _FILE.format("a"),
    "FancyStdoutStream": "stdout_stream.color = green\n",
    "StdoutStream": "",
    "TimedRotatingFileStream": _FILE.format("b") + "stdout_stream.rotate_when = H\n",
    "WatchedFileStream": _FILE.format("c"),
    "QueueStream": "",
}
PLUGINS = {
    "flapping.Flapping": "isolate = True",
    "statsd.StatsdEmitter": "application_name = shop",
    "statsd.FullStats": "loop_rate = 1",
    "resource_watcher.ResourceWatcher": "watcher = web",
    "watchdog.WatchDog": "port = 0",
    "command_reloader.CommandReloader": "loop_rate = 1",
}


def test_every_name_has_its_program() -> None:
    assert sorted(PROGRAMS) == sorted(NAMES.split())


@pytest.mark.parametrize("name", [name for name in NAMES.split() if name not in ONLY_OURS])
def test_a_name(library: Library, name: str, tmp_path: Path) -> None:
    run(library, name, tmp_path)


@pytest.mark.parametrize("name", ONLY_OURS)
def test_a_name_on_ours(compat: Library, name: str, tmp_path: Path) -> None:
    run(compat, name, tmp_path)


def run(library: Library, name: str, folder: Path) -> None:
    """Compare what a program prints."""
    program, *lines = PROGRAMS[name]
    text = PRELUDE + textwrap.dedent(program)
    assert library.lines(text, cwd=folder, limit=120) == lines


def test_streams_in_configuration_text(library: Library, tmp_path: Path) -> None:
    sections = "".join(
        f"[watcher:{name}]\ncmd = sleep 100\nstdout_stream.class = circus.stream.{name}\n{options}"
        for name, options in STREAMS.items()
    )
    assert started(library, sections, list(STREAMS), tmp_path) == list(STREAMS)


def test_plugins_in_configuration_text(library: Library, tmp_path: Path) -> None:
    sections = "[watcher:web]\ncmd = sleep 100\n" + "".join(
        f"[plugin:{name}]\nuse = circus.plugins.{name}\n{options}\n"
        for name, options in PLUGINS.items()
    )
    names = [f"plugin:{name}" for name in PLUGINS]
    assert started(library, sections, names, tmp_path) == names


def started(library: Library, sections: str, names: list[str], folder: Path) -> list[str]:
    """Run a daemon on sections until watchers of these names are active; return them."""
    program = f"""
with daemon({sections!r}):
    for name in {names!r}:
        until(lambda: is_active(name))
        print(name)
"""
    return library.lines(PRELUDE + program, cwd=folder, limit=200)
