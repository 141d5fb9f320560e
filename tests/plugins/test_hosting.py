"""How a plugin's class is found and made, and where it runs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core import CircusPlugin
from cvec_circus_core.api import hookimpl
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.hosting.classes import (
    NO_DEFAULTS,
    PluginFacts,
    PluginNames,
    find_class,
    make,
)
from cvec_circus_core.hosting.placement import assign, place, watcher_of
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS, PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.launch import SpawnEnvironment, prepare
from cvec_circus_plugins.flapping import Flapping
from cvec_circus_plugins.stats.kernel import StatisticsPlacement
from cvec_circus_plugins.statsd import StatsdEmitter

FACTS = PluginFacts("control", "events", 2.5)
TOLD = ("control", "events", 2.5)


class OfTheSeeds(CircusPlugin):
    def __init__(self, filename: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filename = filename


class Starred(CircusPlugin):
    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.filename = self.config["filename"]


class InOrder(CircusPlugin):
    def __init__(self, one: str, two: str, three: float, four: Any, /, **config: Any) -> None:
        super().__init__(one, two, three, four, **config)
        self.filename = config["filename"]


class BeforeSsh(CircusPlugin):
    def __init__(
        self, endpoint: str, pubsub_endpoint: str, check_delay: float, filename: str
    ) -> None:
        super().__init__(endpoint, pubsub_endpoint, check_delay)
        self.filename = filename


@pytest.mark.parametrize("shape", [OfTheSeeds, Starred, InOrder, BeforeSsh])
def test_a_constructor_of_any_shape_is_called(shape: type[CircusPlugin]) -> None:
    plugin: Any = make(shape, FACTS, {"filename": "x"})
    assert (plugin.endpoint, plugin.pubsub_endpoint, plugin.check_delay) == TOLD
    assert (plugin.filename, plugin.active, plugin.ssh_server) == ("x", True, None)


def test_an_option_that_is_not_taken_is_told() -> None:
    with pytest.raises(ConfigError, match=r"BeforeSsh can not be made: .*'nope'"):
        make(BeforeSsh, FACTS, {"filename": "x", "nope": "1"})


@pytest.mark.parametrize(
    ("use", "found"),
    [
        ("flapping", Flapping),
        ("circus.plugins.flapping.Flapping", Flapping),
        ("cvec_circus_plugins.flapping.Flapping", Flapping),
        ("cvec_circus_plugins.flapping:Flapping", Flapping),
        ("circus.plugins._statsd.StatsdEmitter", StatsdEmitter),
        ("circus.plugins.CircusPlugin", CircusPlugin),
    ],
)
def test_a_class_is_found_by_any_of_its_names(use: str, found: type) -> None:
    assert find_class(use) is found


@pytest.mark.parametrize("text", ["True", "yes", "1", True])
def test_active(text: Any) -> None:
    assert OfTheSeeds("x", **{**vars_of(FACTS), "active": text}).active


@pytest.mark.parametrize("text", ["False", "no", "0", "off", False])
def test_inactive(text: Any) -> None:
    plugin = OfTheSeeds("x", **{**vars_of(FACTS), "active": text})
    assert not plugin.active
    with pytest.raises(ConfigError, match="not active"):
        plugin.start()


def vars_of(facts: PluginFacts) -> dict[str, Any]:
    return {
        "endpoint": facts.endpoint,
        "pubsub_endpoint": facts.pubsub_endpoint,
        "check_delay": facts.check_delay,
    }


@pytest.mark.parametrize(
    ("topic", "split"),
    [
        ("watcher.web.spawn", ("web", "spawn")),
        (b"watcher.web.spawn", ("web", "spawn")),
        ("watcher.web.app.v1.reap", ("web.app.v1", "reap")),
    ],
)
def test_an_event_is_taken_apart(topic: Any, split: tuple[str, str]) -> None:
    assert CircusPlugin.split_data((topic, "x")) == (*split, "x")


def spec(name: str, use: str, **how: Any) -> PluginSpec:
    return PluginSpec(name=name, use=use, watcher=WatcherSpec(name=f"plugin:{name}"), **how)


@pytest.mark.parametrize(
    ("plugins", "threads", "processes"),
    [
        ([], ["flapping"], []),
        ([spec("a", "x.Y")], ["flapping"], ["a"]),
        ([spec("a", "x.Y", isolate=False)], ["a", "flapping"], []),
        ([spec("a", "x.Y", active=False)], ["flapping"], []),
        ([spec("mine", "flapping")], ["mine"], []),
        ([spec("mine", "circus.plugins.flapping.Flapping")], ["mine"], []),
        ([spec("mine", "cvec_circus_plugins.flapping.Flapping", isolate=True)], [], ["mine"]),
        ([spec("flapping", "flapping", active=False)], [], []),
        ([spec("flapping", "my.Own")], [], ["flapping"]),
    ],
)
def test_where_plugins_run(
    plugins: list[PluginSpec], threads: list[str], processes: list[str]
) -> None:
    hosts = assign(plugins, PluginNames.installed())
    assert [thread.name for thread in hosts.threads] == threads
    assert [process.name for process in hosts.processes] == processes


class Adding:
    """A kernel plugin that answers with what it was made with, and keeps what it was asked."""

    def __init__(self, *plugins: PluginSpec) -> None:
        self.plugins = plugins
        self.asked: list[tuple[ArbiterSpec, list[str], Sequence[str]]] = []

    @hookimpl
    def circus_plugins(
        self, daemon: ArbiterSpec, plugins: Sequence[PluginSpec], watchers: Sequence[str]
    ) -> tuple[PluginSpec, ...]:
        self.asked.append((daemon, [plugin.name for plugin in plugins], watchers))
        return self.plugins


def test_a_package_adds_plugins_and_takes_the_place_of_configured_ones() -> None:
    adding = Adding(spec("own", "x.Own"), spec("b", "x.Other", isolate=False))
    hooks = Hooks()
    hooks.add("adding", adding)
    configured = [spec("a", "x.Y"), spec("b", "x.Z")]
    hosts = place(configured, hooks, ArbiterSpec(), ["web"], NO_DEFAULTS)
    assert [(plugin.name, plugin.use) for plugin in hosts.threads] == [("b", "x.Other")]
    assert [(plugin.name, plugin.use) for plugin in hosts.processes] == [
        ("a", "x.Y"),
        ("own", "x.Own"),
    ]
    assert adding.asked == [(ArbiterSpec(), ["a", "b"], ("web",))]


def test_a_runner_that_no_package_brings_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^plugin a has no program to run it: no installed pack"):
        watcher_of(spec("a", "x.Y", runner="lost"), FACTS, ArbiterSpec())


STATISTICS = "cvec_circus_plugins.stats.plugin:Statistics"
ON = ArbiterSpec(statsd=True, stats_endpoint="tcp://127.0.0.1:1", viewers=("ann",))


def statistics_of(
    daemon: ArbiterSpec, *plugins: PluginSpec, watchers: Sequence[str] = ()
) -> list[PluginSpec]:
    return StatisticsPlacement().circus_plugins(daemon, plugins, watchers)


def test_statistics_run_by_themselves_where_they_are_wanted() -> None:
    (plugin,) = statistics_of(ON)
    assert (plugin.name, plugin.watcher.name, plugin.use) == (*["circusd-stats"] * 2, "statistics")
    assert plugin.options["statspoint"] == "tcp://127.0.0.1:1"
    assert json.loads(plugin.options["access"])["viewers"] == ["ann"]
    words = shlex.split(watcher_of(plugin, FACTS, ON).cmd)
    assert words == [sys.executable, "-P", "-m", "cvec_circus_cli.circusd_stats"]
    assert not statistics_of(ArbiterSpec())
    assert not statistics_of(ON, watchers=["Circusd-Stats"])


@pytest.mark.parametrize("use", ["statistics", STATISTICS, STATISTICS.replace(":", ".")])
def test_a_section_of_statistics_takes_the_place_of_the_daemons_own(use: str) -> None:
    (plugin,) = statistics_of(ON, spec("a", "x.Y"), spec("s", use, options={"interval": "9"}))
    assert (plugin.name, plugin.options["interval"]) == ("s", "9")
    assert {"statspoint", "access", "pss"} < set(plugin.options)
    (own,) = statistics_of(ON, spec("s", use, active=False))
    assert own.name == "circusd-stats"


def test_what_the_runner_is_told_survives_the_watchers_variables() -> None:
    nasty = {"text": "$WID $(circus.wid) ((circus.env.home)) %(x)s \"q\" 'q' é\n\t\\ :::", "n": 5}
    watcher = watcher_of(spec("a", "x.Y", options=nasty), FACTS, ArbiterSpec(loglevel="debug"))
    plan = prepare(watcher, SpawnEnvironment(environ={"HOME": "/"})).for_slot(7)
    said = json.loads(plan.env[PLUGIN_SETTINGS])
    assert (said["options"], said["endpoint"], said["loglevel"]) == (nasty, "control", "debug")
    assert plan.argv[0] == sys.executable
    assert shlex.split(watcher.cmd)[-1] == "x.Y"


FINDER = """
import sys
from cvec_circus_cli import older_names
older_names.install()
older_names.install()
"""


def run(code: str, *paths: Path) -> str:
    path = f"import sys; sys.path[:0] = {[str(one) for one in paths]!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", path + FINDER + code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_older_names_are_ours_where_nothing_else_is() -> None:
    code = """
import circus, circus.plugins, circus.exc
from circus import logger, get_arbiter, plugins
from circus.plugins import CircusPlugin
from circus.plugins.statsd import StatsdEmitter, FullStats, BaseObserver
from circus.plugins._statsd import StatsdEmitter as Same
from circus.stream import FileStream, QueueStream
from circus.client import CircusClient
assert issubclass(StatsdEmitter, CircusPlugin) and Same is StatsdEmitter
assert type(sys.meta_path[-1]).__name__ == "OlderNames"
assert sum(type(one).__name__ == "OlderNames" for one in sys.meta_path) == 1
try:
    import circus.nothing
except ModuleNotFoundError as error:
    print(error)
try:
    from circus.plugins import Nothing
except ImportError:
    print(CircusPlugin.__module__)
"""
    assert run(code).splitlines() == [
        "No module named 'circus.nothing'",
        "cvec_circus_core.extend.plugin",
    ]


def test_an_installed_older_package_wins(tmp_path: Path) -> None:
    (tmp_path / "circus" / "plugins").mkdir(parents=True)
    (tmp_path / "circus" / "__init__.py").touch()
    (tmp_path / "circus" / "plugins" / "__init__.py").write_text("CircusPlugin = 'theirs'\n")
    code = """
from circus.plugins import CircusPlugin
print(CircusPlugin)
try:
    import circus.stream
except ModuleNotFoundError as error:
    print(error)
"""
    assert run(code, tmp_path).splitlines() == ["theirs", "No module named 'circus.stream'"]
