"""Flapping: what it does to a watcher whose processes die, event by event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cvec_circus_core.extend.plugin import attach
from cvec_circus_plugins._flapping import Phase
from cvec_circus_plugins.flapping import Flapping

FIRST = "flapping: process 1 died 2 times in 1 s; try 1 of 5 comes after 7 s"
SECOND = FIRST.replace("try 1", "try 2")


class Scene:
    """A flapping plugin before a daemon that writes down what it is asked; also its event loop."""

    def __init__(self, config: Mapping[str, Any] | None = None, /, **options: Any) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.options = options
        self.replies: dict[str, dict[str, Any]] = {"start": {"status": "ok", "started": ["Web"]}}
        self.timers: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
        self.status = "active"
        self.reason: str | None = None
        self.pids = 100
        self.now = 0.0
        plugin: Any = Flapping("e", "p", 5.0, **(config or {}))
        attach(plugin, self)  # type: ignore[arg-type]
        plugin.loop = self
        self.plugin: Flapping = plugin

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Answer as the daemon would."""
        command, properties = message["command"], dict(message["properties"])
        name = properties.pop("name", None)
        if command == "status":
            return {"statuses": {"Web": self.status}} if name is None else {"reason": self.reason}
        assert name == "Web"
        if command == "options":
            return {"status": "ok", "options": self.options}
        self.said.append((command, properties))
        return self.replies.get(command, {"status": "ok"})

    def call_later(self, seconds: float, then: Callable[..., None], *args: Any) -> Any:
        """Set a timer."""
        timer = (seconds, then, args)
        self.timers.append(timer)
        scene = self

        class Handle:
            def cancel(self) -> None:
                if timer in scene.timers:
                    scene.timers.remove(timer)

        return Handle()

    def time(self) -> float:
        """Tell the monotonic time."""
        return self.now

    def hears(self, event: str, time: float = 0.0, wall: float = 1.7e9, **body: Any) -> None:
        """Let the plugin hear an event at a monotonic moment; ``wall`` is what it says."""
        self.now = time
        text = json.dumps({"watcher": "Web", "time": wall, **body})
        self.plugin.handle_recv((f"watcher.web.{event}", text))

    def dies(
        self, *times: float, wid: int = 1, reason: str = "exited", code: int | None = 1, **body: Any
    ) -> None:
        """Let one slot's processes die."""
        for at in times:
            self.pids += 1
            body.update(process_pid=self.pids, process_id=wid, reason=reason, exit_code=code)
            self.hears("reap", time=at, **body)

    def passes(self) -> float:
        """Let the one timer that is set go off; return its seconds."""
        ((seconds, then, args),) = self.timers
        self.timers.clear()
        then(*args)
        return seconds

    def told(self, command: str) -> list[dict[str, Any]]:
        """Return what was asked by one command, and forget it."""
        found = [one for name, one in self.said if name == command]
        self.said = [one for one in self.said if one[0] != command]
        return found

    @property
    def phase(self) -> Phase:
        """What was done to the watcher."""
        return self.plugin.records["Web"].phase


def test_it_stops_rests_and_tries_again() -> None:
    scene = Scene()
    scene.dies(10.0, 10.9)
    assert scene.told("stop") == [{"match": "simple", "reason": FIRST}]
    (event,) = scene.told("announce")
    assert event == {
        "event": "flapping",
        "body": {
            "process_id": 1,
            "attempts": 2,
            "window": 1.0,
            "stopped": True,
            "round": 1,
            "retry_in": 7.0,
            "gave_up": False,
        },
    }
    assert scene.timers == []
    scene.hears("stop", reason=FIRST)
    assert scene.passes() == 7.0
    assert scene.told("start") == [{"match": "simple", "stopped_for": FIRST}]
    scene.hears("start", time=18.0)
    scene.dies(18.1, 18.2)
    assert scene.told("stop") == [{"match": "simple", "reason": SECOND}]


@pytest.mark.parametrize(
    "deaths",
    [
        pytest.param([(10.0, 1, "exited"), (10.1, 2, "exited")], id="one death each"),
        pytest.param([(10.0, 1, "exited"), (11.1, 1, "exited")], id="too slow"),
        *(
            pytest.param([(10.0, 1, why), (10.1, 1, why)], id=why)
            for why in ("stopped", "killed", "expired", "reloaded", "unready")
        ),
    ],
)
def test_these_deaths_are_no_flapping(deaths: list[tuple[float, int, str]]) -> None:
    scene = Scene()
    for at, wid, reason in deaths:
        scene.dies(at, wid=wid, reason=reason)
    assert scene.said == []


@pytest.mark.parametrize(
    ("config", "options", "deaths", "stops"),
    [
        ({"attempts": "3"}, {}, 2, 0),
        ({"attempts": "3"}, {}, 3, 1),
        ({}, {"flapping.attempts": "4"}, 3, 0),
        ({"attempts": "9"}, {"flapping.attempts": 2}, 2, 1),
        ({"window": "0.05"}, {}, 5, 0),
        ({}, {"flapping.window": 0.05}, 5, 0),
        ({}, {"flapping.active": "False"}, 9, 0),
        ({}, {"flapping.attempts": "many"}, 2, 1),
        ({}, {"flapping_attempts": 3}, 2, 0),
    ],
)
def test_options_of_the_plugin_and_of_the_watcher(
    config: dict[str, Any], options: dict[str, Any], deaths: int, stops: int
) -> None:
    scene = Scene(config, **options)
    scene.dies(*(10.0 + 0.1 * number for number in range(deaths)))
    assert len(scene.told("stop")) == stops


@pytest.mark.parametrize(
    ("count", "config", "flapping", "is_stopped"),
    [
        (1, {}, 1, True),
        (2, {}, 1, False),
        (2, {}, 2, True),
        (10, {}, 5, False),
        (10, {}, 6, True),
        (10, {"share": "0"}, 1, True),
        (10, {"share": "1"}, 9, False),
        (10, {"share": "1"}, 10, True),
    ],
)
def test_a_few_that_flap_do_not_stop_the_others(
    count: int, config: dict[str, Any], flapping: int, is_stopped: bool
) -> None:
    scene = Scene(config, numprocesses=count)
    for wid in range(1, flapping + 1):
        scene.dies(10.0 + wid / 100, 10.2 + wid / 100, wid=wid)
    assert len(scene.told("stop")) == is_stopped
    assert [one["body"]["stopped"] for one in scene.told("announce")] == (
        [False] * (flapping - is_stopped) + [True] * is_stopped
    )


def test_one_that_goes_on_flapping_is_told_once_until_it_has_lived_for_a_while() -> None:
    scene = Scene(numprocesses=3)
    # As far apart as the daemon's own pauses let them be.
    scene.dies(10.0, 10.1, 10.4, 11.0, 12.5, 16.0, 26.1)
    (told,) = scene.told("announce")
    assert told["body"]["retry_in"] is None
    scene.dies(100.0)
    assert scene.said == []
    scene.dies(100.1)
    assert len(scene.told("announce")) == 1
    scene.dies(100.2, wid=2)
    assert scene.said == []
    scene.dies(100.3, wid=2)
    assert len(scene.told("stop")) == 1


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_makes_no_flapping(step: float) -> None:
    scene = Scene()
    scene.dies(1000.0, wall=1.7e9)
    scene.dies(4600.0, wall=1.7e9 + 3600.0 + step)
    scene.dies(8200.0, wall=1.7e9)
    assert scene.said == []


def test_a_clock_that_is_set_hides_no_flapping() -> None:
    scene = Scene()
    scene.dies(1000.0, wall=1.7e9)
    scene.dies(1000.5, wall=1.7e9 + 3600.0)
    assert len(scene.told("stop")) == 1


def test_normal_exits_are_no_deaths() -> None:
    scene = Scene()
    scene.dies(*(10.0 + number / 10 for number in range(20)), code=0)
    assert scene.said == []


def test_unless_it_is_asked_for_it_only_tells() -> None:
    scene = Scene({"by_default": True}, numprocesses=2)
    for wid in (1, 2):
        scene.dies(*(10.0 + number / 10 for number in range(20)), wid=wid)
    assert scene.told("stop") == []
    told = [event["body"] for event in scene.told("announce")]
    assert [(body["process_id"], body["stopped"], body["gave_up"]) for body in told] == [
        (1, False, False),
        (2, False, False),
    ]


@pytest.mark.parametrize(
    "options", [{"flapping.max_retry": 2}, {"flapping_attempts": 2}, {"retry_in": 1.0}]
)
def test_an_option_of_the_watcher_asks_for_it(options: dict[str, Any]) -> None:
    scene = Scene({"by_default": True}, **options)
    scene.dies(10.0, 10.1)
    assert len(scene.told("stop")) == 1


def test_an_option_set_later_counts() -> None:
    scene = Scene()
    scene.dies(10.0)
    scene.options = {"flapping.attempts": 3}
    scene.dies(10.6)
    assert scene.told("stop") == []
    scene.dies(10.7)
    assert len(scene.told("stop")) == 1


def flap(scene: Scene, rounds: int) -> list[str]:
    """Let it flap; return the reasons it was stopped for."""
    reasons = []
    for number in range(rounds):
        at = 10.0 * number
        scene.dies(at, at + 0.1)
        (stop,) = scene.told("stop")
        reasons.append(stop["reason"])
        scene.hears("stop", reason=stop["reason"])
        if scene.timers:
            scene.passes()
            scene.hears("start", time=at + 8)
    return reasons


def test_it_gives_up_and_an_operators_start_begins_anew() -> None:
    scene = Scene({}, **{"flapping.max_retry": 2})
    assert [reason.partition("; ")[2] for reason in flap(scene, 3)] == [
        "try 1 of 2 comes after 7 s",
        "try 2 of 2 comes after 7 s",
        "given up after 2 tries",
    ]
    assert (scene.phase, scene.timers) == (Phase.GIVEN_UP, [])
    assert [one["body"]["gave_up"] for one in scene.told("announce")] == [False, False, True]
    scene.hears("start", time=100.0)
    scene.dies(100.1, 100.2)
    assert scene.told("stop")[0]["reason"].endswith("try 1 of 2 comes after 7 s")


def test_there_may_be_no_limit() -> None:
    reasons = flap(Scene({"max_retry": "-1"}), 9)
    assert reasons[-1].endswith("try 9 comes after 7 s")


def test_a_watcher_that_was_well_for_a_while_begins_anew() -> None:
    scene = Scene()
    flap(scene, 2)
    scene.dies(500.0, 500.1)
    assert scene.told("stop") == [{"match": "simple", "reason": FIRST}]


def test_a_start_by_an_operator_ends_the_rest() -> None:
    scene = Scene()
    scene.dies(10.0, 10.1)
    scene.hears("start")  # It was on its way when the stop was asked for.
    scene.hears("stop", reason=FIRST)
    assert len(scene.timers) == 1
    scene.hears("start")
    assert (scene.timers, scene.phase) == ([], Phase.WATCHED)


def test_a_stop_by_an_operator_is_not_undone() -> None:
    scene = Scene()
    scene.dies(10.0, 10.1)
    scene.hears("stop")
    assert (scene.timers, scene.phase) == ([], Phase.WATCHED)


def test_an_operators_stop_during_the_rest_is_not_undone() -> None:
    scene = Scene()
    scene.dies(10.0, 10.1)
    scene.hears("stop", reason=FIRST)
    scene.replies["start"] = {"status": "ok", "started": []}
    scene.passes()
    assert (scene.timers, scene.phase) == ([], Phase.WATCHED)


def test_deaths_between_its_stop_and_the_end_do_not_count_twice() -> None:
    scene = Scene()
    scene.dies(10.0, 10.1)
    scene.dies(10.0, 10.1, wid=2)
    assert len(scene.told("stop")) == 1


def test_a_removed_watcher_is_forgotten() -> None:
    scene = Scene()
    scene.dies(10.0, 10.1)
    scene.hears("stop", reason=FIRST)
    scene.hears("remove")
    assert (scene.timers, scene.plugin.records) == ([], {})


def test_a_refused_stop_is_tried_again_where_the_daemon_is_busy() -> None:
    scene = Scene()
    scene.replies["stop"] = {"status": "error", "errno": 5, "reason": "already running"}
    scene.dies(10.0, 10.1)
    scene.replies.clear()
    assert scene.passes() < 1
    assert len(scene.told("stop")) == 2


def test_a_refused_start_is_tried_again_where_the_daemon_is_busy() -> None:
    scene = Scene()
    scene.dies(10.0, 10.1)
    scene.hears("stop", reason=FIRST)
    scene.replies["start"] = {"status": "error", "errno": 5, "reason": "already running"}
    scene.passes()
    assert scene.passes() < 1
    assert scene.phase is Phase.RESTING
    assert len(scene.told("start")) == 2


def test_deaths_told_by_an_older_daemon_count_unless_a_signal_came_first() -> None:
    scene = Scene()
    for pid in (1, 2):
        scene.hears("kill", process_pid=pid)
        scene.hears("reap", process_pid=pid, time=10.0)
    assert scene.said == []
    for pid in (3, 4):
        scene.hears("reap", process_pid=pid, time=10.0)
    assert len(scene.told("stop")) == 1


@pytest.mark.parametrize(
    ("waited", "flaps"),
    [((9.0, 0.0), False), ((0.9, 0.0), True), ((5000.0, 0.0), True), ((-3600.0, 0.0), True)],
    ids=["long ago", "just before", "by another clock", "before the clock was set back"],
)
def test_deaths_count_when_they_happened_and_not_when_they_are_heard(
    monkeypatch: pytest.MonkeyPatch, waited: tuple[float, ...], flaps: bool
) -> None:
    now = 1.7e9
    monkeypatch.setattr("cvec_circus_plugins.flapping.unix_time", lambda: now)
    scene = Scene()
    for number, seconds in enumerate(waited):
        scene.hears(
            *("reap", 100.0, now - seconds),
            process_pid=number,
            process_id=1,
            reason="exited",
            exit_code=1,
        )
    assert bool(scene.told("stop")) is flaps


class TestGoingOn:
    """One that was killed, with the daemon or alone, had stopped a watcher."""

    def begin(self, reason: str | None, status: str = "stopped") -> Scene:
        scene = Scene()
        scene.status, scene.reason = status, reason
        scene.plugin.handle_init()
        return scene

    def test_the_promised_try_is_made(self) -> None:
        scene = self.begin(SECOND)
        assert scene.passes() == 7
        assert scene.said == [("start", {"match": "simple", "stopped_for": SECOND})]
        assert scene.plugin.records["Web"].rounds == 2

    @pytest.mark.parametrize(
        ("reason", "status"),
        [(None, "stopped"), ("an operator", "stopped"), (FIRST, "active")],
    )
    def test_what_others_have_stopped_is_let_alone(self, reason: str | None, status: str) -> None:
        scene = self.begin(reason, status)
        assert (scene.timers, scene.said, scene.plugin.records) == ([], [], {})

    def test_one_that_was_given_up_stays_so(self) -> None:
        scene = self.begin("flapping: process 1 died 2 times in 1 s; given up after 5 tries")
        assert (scene.timers, scene.said) == ([], [])
        assert scene.plugin.records["Web"].phase is Phase.GIVEN_UP
