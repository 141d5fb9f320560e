"""The thread that listens: what it knows, and how it notices that nobody talks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cvec_circus_cli.top.feed import Feed, Inquirer
from cvec_circus_cli.top.ledger import Ledger
from cvec_circus_core.api import CircusClient, CircusConsumer
from tests.cli.answering import Answering
from tests.live.daemon import free_port
from tests.programs import wait_until
from tests.top.publishing import Publishing, World, process

LIMIT = 20.0


@contextmanager
def fed(endpoint: str) -> Iterator[Feed]:
    """Listen to an endpoint."""
    feed = Feed(CircusConsumer(["stat."], endpoint=endpoint), Ledger())
    feed.start()
    yield feed
    feed.stop()


def pids(feed: Feed) -> list[int]:
    """Return all pids that are known now."""
    return [one.pid for group in feed.look()[0].groups for one in group.processes]


def test_it_says_when_nobody_talks_keeps_the_picture_and_comes_back() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with fed(endpoint) as feed:
        with Publishing(World({"web": [process(1)]}), endpoint, every=0.1):
            assert feed.wait_rounds(2, LIMIT)
            assert feed.look()[1].silent is None
            assert pids(feed) == [1]
        wait_until(lambda: feed.look()[1].silent is not None)
        assert pids(feed) == [1]
        with Publishing(World({"web": [process(2)]}), endpoint, every=0.1):
            wait_until(lambda: pids(feed) == [2])
            wait_until(lambda: feed.look()[1].silent is None)


def test_a_silence_as_long_as_the_stream_is_slow_means_nothing() -> None:
    now = [0.0]
    consumer = CircusConsumer(["stat."], endpoint=f"tcp://127.0.0.1:{free_port()}")
    with consumer:
        feed = Feed(consumer, Ledger(), clock=lambda: now[0])
        patient = []
        for second in (0.0, 2.9, 5.8, 8.7):
            now[0] = second
            feed._take(b"stat.web.1", b'{"pid": 1}')
        for silence in (2.0, 7.0, 8.0):
            now[0] = 8.7 + silence
            patient.append(feed.look()[1].silent)
    assert [one is None for one in patient] == [True, True, False]


def test_what_is_no_json_is_left_out() -> None:
    with CircusConsumer(["stat."], endpoint=f"tcp://127.0.0.1:{free_port()}") as consumer:
        feed = Feed(consumer, Ledger())
        for body in (b"", b"{", b"\xff", b"[" * 100_000, b"1"):
            feed._take(b"stat.web.1", body)
        assert pids(feed) == []


def test_how_watchers_fare_is_known_while_the_daemon_answers() -> None:
    with fed(f"tcp://127.0.0.1:{free_port()}") as feed:
        reply = {"status": "ok", "details": {"off": {"state": "stopped", "wanted": 2}}}
        with Answering(lambda request: reply) as daemon:
            inquirer = Inquirer(CircusClient(endpoint=daemon.endpoint, timeout=1), feed.learn)
            inquirer.start()
            wait_until(lambda: [group.name for group in feed.look()[0].groups] == ["off"])
            assert daemon.asked[0] == ("status", {"long": True})
            daemon.end_soon()
            wait_until(lambda: not feed.look()[0].groups)
            inquirer.stop()
