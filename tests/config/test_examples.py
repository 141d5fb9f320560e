"""Whole files, as the documents show them, read to the last option."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import accepted, load
from cvec_circus_core.config.mappings import changed_spec, spec_as_json, watcher_from_mapping
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_plugins.formats.ini import IniFormat

EXAMPLES = Path(__file__).parent / "examples"
FILES = sorted(one.name for one in EXAMPLES.glob("*.ini"))


def example(name: str) -> Loaded:
    loaded = accepted(load(EXAMPLES / name, [IniFormat()], {"USER": "app"}))
    assert not loaded.warnings
    return loaded


def test_minimal() -> None:
    loaded = example("minimal.ini")
    assert loaded.arbiter == ArbiterSpec(check_delay=5.0, endpoint="tcp://127.0.0.1:5555")
    assert loaded.watchers == (
        WatcherSpec(name="anotherprogram", cmd="another_program", numprocesses=2),
        WatcherSpec(
            name="myprogram", cmd="python", args=("-u", "myprogram.py", "$WID"), numprocesses=5
        ),
    )


def test_streams_and_statsd() -> None:
    loaded = example("streams_and_statsd.ini")
    assert loaded.watchers[0].stdout_stream == {
        "class": "FileStream",
        "filename": "test.log",
        "refresh_time": "0.3",
    }
    (plugin,) = loaded.plugins
    assert (plugin.name, plugin.use) == ("statsd", "circus.plugins._statsd.StatsdEmitter")
    assert plugin.options == {
        "host": "localhost",
        "port": "8125",
        "sample_rate": "1.0",
        "application_name": "example",
    }


def test_from_supervisor() -> None:
    assert example("from_supervisor.ini").watchers == (
        WatcherSpec(
            name="example",
            cmd="npm start",
            working_dir="/home/www/my-server/",
            uid="www-data",
            stderr_stream={"class": "StdoutStream"},
        ),
    )


def test_socket_and_plugin() -> None:
    loaded = example("socket_and_plugin.ini")
    assert loaded.arbiter.statsd
    assert [(socket.name, socket.host, socket.port) for socket in loaded.sockets] == [
        ("mysocket", "localhost", 8080)
    ]
    assert loaded.plugins[0].options == {"filename": "/var/myproject/circus.log"}


def test_web_stack() -> None:
    loaded = example("web_stack.ini")
    cron, web, worker = loaded.watchers
    assert cron.cmd == "while true; do /srv/app/bin/nightly > /dev/null; sleep 3600; done"
    assert web.command_words[1:] == (
        *("--fd", "$(circus.sockets.web)", "--admin", "((circus.sockets.admin))"),
        *("--name", "web $(circus.wid)"),
    )
    assert (web.stop_signal, web.numprocesses, web.working_dir) == (3, 4, "/srv/app")
    assert web.rlimits == {"nofile": 4096, "core": None}
    assert web.hooks == {
        "before_start": HookSpec("app.hooks.migrate"),
        "after_stop": HookSpec("app.hooks.goodbye", True),
    }
    assert web.env == worker.env
    assert web.env == {
        "ROOT": "/srv/app",
        "PYTHONPATH": "/srv/app/lib:/srv/app/vendor",
        "PRICE": "5$",
        "DATABASE": "postgresql://app@localhost/app",
    }
    assert [(socket.name, socket.path, socket.umask) for socket in loaded.sockets] == [
        ("admin", "/run/circus/admin.sock", 0o77),
        ("web", None, 0o10),
    ]


@pytest.mark.parametrize("name", FILES)
def test_what_options_shows_makes_the_same_watcher(name: str) -> None:
    for spec in example(name).watchers:
        shown = spec_as_json(spec)
        assert watcher_from_mapping(spec.name, shown) == spec
        assert changed_spec(WatcherSpec(name=spec.name), without_fixed(shown)) == spec


def without_fixed(options: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in options.items() if key != "on_demand"}
