"""Where the numbers come from, and one sentence where there are none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_cli.top.sources import (
    STATS_ENDPOINT,
    EndpointOptions,
    NoStatistics,
    Place,
    locate,
    read_statistics_endpoint,
    subscribed,
)
from cvec_circus_core.system import listeners
from tests.cli.answering import Answering, canned
from tests.live.daemon import free_port
from tests.top.publishing import Publishing, World, process

Start = Callable[[Mapping[str, Any]], Answering]
SOON = 0.5


@pytest.fixture(autouse=True)
def _nobody_at_the_usual_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CIRCUSCTL_ENDPOINT", raising=False)
    nobody = f"ipc://{tmp_path}/nobody"
    monkeypatch.setattr("cvec_circus_cli.top.sources.CONTROL_ENDPOINT", nobody)


@pytest.fixture
def daemon() -> Iterator[Start]:
    """Return a call that starts something which answers globaloptions."""
    with ExitStack() as running:

        def start(reply: Mapping[str, Any]) -> Answering:
            return running.enter_context(Answering(canned({"globaloptions": reply})))

        yield start


def telling(endpoint: str | None) -> dict[str, Any]:
    """Return a daemon's answer."""
    return {"status": "ok", "options": {"stats_endpoint": endpoint}}


REFUSED = {"status": "error", "errno": 7, "reason": "user www may not", "tb": None}
OURS = "ipc:///ours"


def test_the_daemon_tells_where_its_statistics_are(daemon: Start) -> None:
    control = daemon(telling(OURS)).endpoint
    assert locate(EndpointOptions(control=control)) == Place(OURS, control)


def test_the_daemon_of_the_variable_is_asked(
    daemon: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = daemon(telling(OURS)).endpoint
    monkeypatch.setenv("CIRCUSCTL_ENDPOINT", control)
    assert locate(EndpointOptions()) == Place(OURS, control)
    assert locate(EndpointOptions(stats=OURS)) == Place(OURS, control)
    assert locate(EndpointOptions(stats="ipc:///other")) == Place("ipc:///other", None)


def test_who_names_both_is_believed() -> None:
    assert locate(EndpointOptions(stats=OURS, control="ipc:///x")) == Place(OURS, "ipc:///x")


def test_without_anybody_to_ask_it_is_the_usual_one() -> None:
    assert locate(EndpointOptions()) == Place(STATS_ENDPOINT, None)
    assert locate(EndpointOptions(stats=OURS)) == Place(OURS, None)


def test_an_endpoint_on_all_addresses_is_reached_at_the_one_that_is_known() -> None:
    told = telling("tcp://0.0.0.0:5557")
    assert read_statistics_endpoint(told, "tcp://there:5555") == "tcp://there:5557"


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (telling(None), 1, "publishes no statistics: set stats_endpoint in its [circus] section"),
        (telling(""), 1, "publishes no statistics"),
        ({"status": "ok"}, 1, "publishes no statistics"),
        (REFUSED, 3, "user www may not"),
    ],
)
def test_a_daemon_without_statistics_for_us(
    daemon: Start, reply: dict[str, Any], code: int, said: str
) -> None:
    control = daemon(reply).endpoint
    with pytest.raises(NoStatistics, match=said.replace("[", r"\[")) as raised:
        locate(EndpointOptions(control=control))
    assert raised.value.code == code
    assert control in str(raised.value)


def test_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoStatistics, match="nothing listens at ipc://") as raised:
        locate(EndpointOptions(control=f"ipc://{tmp_path}/none"))
    assert raised.value.code == 1


@pytest.mark.parametrize("endpoint", ["nonsense", "tcp://", "ftp://x:1"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(NoStatistics, match="can not connect to") as raised:
        subscribed(EndpointOptions(), Place(endpoint, None))
    assert raised.value.code == 1


def test_nothing_listens() -> None:
    place = Place(f"tcp://127.0.0.1:{free_port()}", None)
    with pytest.raises(
        NoStatistics, match=r"nothing listens at .* is stats_endpoint set"
    ) as raised:
        subscribed(EndpointOptions(timeout=SOON), place)
    assert raised.value.code == 1


def test_a_control_endpoint_is_told_from_one_of_statistics() -> None:
    with Answering(canned({"numwatchers": {"numwatchers": 1}})) as control:
        place = Place(control.endpoint, None)
        with pytest.raises(NoStatistics, match="is a control endpoint: give it as --control"):
            subscribed(EndpointOptions(timeout=SOON), place)


def test_somebody_who_does_not_talk_to_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = Place(f"tcp://127.0.0.1:{server.getsockname()[1]}", None)
        with pytest.raises(NoStatistics, match="lets this user hear no statistics") as raised:
            subscribed(EndpointOptions(timeout=SOON), place)
    assert raised.value.code == 3


def test_the_reason_of_the_daemon_is_told_where_it_gives_one(daemon: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stats = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(NoStatistics, match="user www may not") as raised:
            subscribed(EndpointOptions(timeout=SOON), Place(stats, daemon(REFUSED).endpoint))
    assert raised.value.code == 3


def test_what_is_published_comes() -> None:
    with (
        Publishing(World({"web": [process(1)]}), every=0.05) as publishing,
        subscribed(EndpointOptions(), Place(publishing.endpoint, None)) as consumer,
    ):
        received = consumer.receive(10)
    assert received is not None
    assert received[0].startswith(b"stat.web")


def test_a_listener_of_another_user_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "listener_uid", lambda endpoint: 123_456)
    place = Place(f"tcp://127.0.0.1:{free_port()}", None)
    with pytest.raises(NoStatistics, match=r"user 123456 listens .* neither root nor you"):
        subscribed(EndpointOptions(timeout=SOON), place)
    with pytest.raises(NoStatistics, match="nothing listens"):
        subscribed(EndpointOptions(timeout=SOON, trusted_users=("123456",)), place)
