"""Times and sizes with units."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.mappings import watcher_from_mapping
from cvec_circus_core.model.env_and_limits import CPU_LIMIT
from cvec_circus_core.model.kinds import Kind
from cvec_circus_core.model.quantities import DURATION, SIZE

Read = Callable[[str], Loaded]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2.5", 2.5),
        ("250ms", 0.25),
        ("30s", 30.0),
        ("1 h", 3600.0),
        ("1h30m", 5400.0),
        ("2min 5sec", 125.0),
        ("1D", 86_400.0),
        ("1w", 604_800.0),
        (".5s", 0.5),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert DURATION.parse(text) == seconds
    if text.isalnum():
        assert DURATION.check(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1y", "1h1h", "-1h", "1h-", "soon", "1e400s", "1h 5"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        DURATION.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("10", 10), ("64k", 65_536), ("10MB", 10_485_760), ("1.5 GiB", 1_610_612_736), ("0b", 0)],
)
def test_sizes(text: str, size: int) -> None:
    assert SIZE.parse(text) == size
    if not text.isdigit():
        assert SIZE.check(text) == size


@pytest.mark.parametrize("kind", [DURATION, SIZE])
def test_a_text_without_a_unit_is_no_number_in_json(kind: Kind) -> None:
    with pytest.raises(ValueError, match=r"number|integer"):
        kind.check("10")


@pytest.mark.parametrize("text", ["", "MB", "1x", "1k1k", "-1k", "9999999999T", "1.5"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="integer"):
        SIZE.parse(text)


def test_they_are_taken_by_options_of_every_kind(read: Read) -> None:
    loaded = read(
        "[circus]\nwarmup_delay = 250ms\nstats_interval = 2s\n[watcher:w]\ncmd = x\n"
        "graceful_timeout = 1m30s\nrlimit_as = 1GB\nrlimit_cpu = 1h30m\n"
        "keep_output = 1MB\nready = alive:500ms\n"
    )
    assert not loaded.problems
    (spec,) = loaded.watchers
    assert (loaded.arbiter.warmup_delay, loaded.arbiter.stats_interval) == (0.25, 2.0)
    assert (spec.graceful_timeout, spec.keep_output, spec.ready.seconds) == (90.0, 2**20, 0.5)
    assert spec.rlimits == {"as": 2**30, "cpu": 5400}
    by_command = watcher_from_mapping("w", {"cmd": "x", "max_age": "1h", "graceful_timeout": 5})
    assert (by_command.max_age, by_command.graceful_timeout) == (3600.0, 5.0)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1m", 60), ("", None), ("unlimited", None), ("-1", None)]
)
def test_a_limit_of_processor_time_is_a_time(text: str, seconds: int | None) -> None:
    assert CPU_LIMIT.parse(text) == seconds


@pytest.mark.parametrize("text", ["1MB", "1.5", "250ms", "much", "-2"])
def test_what_is_no_limit_of_processor_time(text: str) -> None:
    with pytest.raises(ValueError, match="unlimited"):
        CPU_LIMIT.parse(text)
