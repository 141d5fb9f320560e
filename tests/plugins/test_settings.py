"""Declared options of plugins: text becomes values, mistakes become one sentence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import pytest

from cvec_circus_core.api import (
    INTEGER,
    NUMBER,
    TEXT,
    CircusPlugin,
    ConfigError,
    declared_options,
    option,
)
from cvec_circus_core.hosting.classes import PluginFacts, make


@dataclass(frozen=True, kw_only=True)
class PingSettings:
    url: str = option("http://localhost/", TEXT, "what is asked for")
    count: int = option(3, INTEGER, "how often", aliases=("times",))
    pause: float | None = option(None, NUMBER, "seconds in between")


class Ping(CircusPlugin):
    name = "ping"
    settings_type = PingSettings
    settings: PingSettings


def ping(**config: Any) -> PingSettings:
    plugin: Any = make(Ping, PluginFacts("control", "events", 1.0), config)
    settings: PingSettings = plugin.settings
    return settings


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, PingSettings()),
        ({"url": "ftp://x", "count": "7", "pause": "0.5"}, ("ftp://x", 7, 0.5)),
        ({"count": 7, "pause": 2}, ("http://localhost/", 7, 2.0)),
        ({"times": "9"}, ("http://localhost/", 9, None)),
        ({"pause": None}, PingSettings()),
    ],
)
def test_options_become_values(config: dict[str, Any], expected: Any) -> None:
    if isinstance(expected, tuple):
        url, count, pause = expected
        expected = PingSettings(url=url, count=count, pause=pause)
    assert ping(**config) == expected


def test_all_mistakes_are_told_in_one_sentence() -> None:
    with pytest.raises(ConfigError) as told:
        ping(times="many", pause="a moment", url="x")
    sentence = "plugin ping: times isn't an integer: 'many'; pause isn't a number: 'a moment'"
    assert str(told.value) == sentence


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("cuont", "plugin ping: cuont is no option of this plugin; did you mean count?"),
        ("zzz", "plugin ping: zzz is no option of this plugin"),
        ("priority", None),
        ("active", None),
        ("rlimit_nofile", None),
        ("stdout_stream.class", None),
        ("env", None),
    ],
)
def test_a_slip_of_the_pen_is_told(
    key: str, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert ping(**{key: "1"}) == PingSettings()
    assert [record.getMessage() for record in caplog.records] == [told] * (told is not None)


@pytest.mark.parametrize(
    "point",
    [
        entry_point
        for entry_point in entry_points(group="cvec_circus.plugins")
        if "cvec_circus_p" in entry_point.value
    ],
    ids=lambda one: str(one.name),
)
def test_every_plugin_of_ours_declares_its_options_and_is_explained(point: Any) -> None:
    found = point.load()
    assert all(
        declared_option.help for declared_option in declared_options(found.settings_type).values()
    )
    assert (found.__doc__ or "").count("\n") >= 1
    found.settings_type()
