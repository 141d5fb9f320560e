"""All that is kept for people, programs and browsers has a bound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.api import BadKeys, Person, Role, unix_time
from cvec_circus_plugins.httpd import attempts, feed, links, sessions, tokens
from cvec_circus_plugins.httpd.attempts import AT_ONCE, EACH, AttemptLimit
from cvec_circus_plugins.httpd.feed import Mailbox
from cvec_circus_plugins.httpd.links import Links
from cvec_circus_plugins.httpd.people import People
from cvec_circus_plugins.httpd.sessions import Sessions
from cvec_circus_plugins.httpd.tokens import Tokens
from cvec_circus_plugins.httpd.usage import POINTS, UsageTable

ANN = Person("ann", Role.OPERATOR)


def fill(file: Path, count: int, row: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """Write so many rows into the file of a table, and return them."""
    rows = {
        f"{number:064x}": {"name": "x", "role": "viewer", **row(number)} for number in range(count)
    }
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(json.dumps(rows))
    file.chmod(0o600)
    return rows


def test_sessions_that_are_used_least_make_room(tmp_path: Path) -> None:
    now = unix_time()
    fill(
        tmp_path / sessions.FILE,
        3 * sessions._AT_MOST,
        lambda number: {"method": "link", "created": now - 100, "used": now - 100 + number / 1000},
    )
    table = Sessions(tmp_path, 3600.0)
    secret = table.begin(ANN, "link")
    rows = json.loads((tmp_path / sessions.FILE).read_text())
    assert len(rows) == sessions._AT_MOST
    assert f"{3 * sessions._AT_MOST - 1:064x}" in rows
    assert table.find(secret) is not None


def test_sessions_that_are_over_are_forgotten(tmp_path: Path) -> None:
    fill(tmp_path / sessions.FILE, 10, lambda _: {"method": "link", "created": 1.0, "used": 1.0})
    Sessions(tmp_path, 3600.0).begin(ANN, "link")
    assert len(json.loads((tmp_path / sessions.FILE).read_text())) == 1


def test_links_that_nobody_uses_are_forgotten_and_the_oldest_make_room(tmp_path: Path) -> None:
    now = unix_time()
    fill(tmp_path / links.FILE, 10, lambda _: {"expires": now - 1})
    table = Links(tmp_path)
    secrets = [table.make(ANN) for _ in range(links._AT_MOST + 5)]
    assert len(json.loads((tmp_path / links.FILE).read_text())) == links._AT_MOST
    assert table.use(secrets[0]) is None
    assert table.use(secrets[-1]) == ANN


def test_tokens_do_not_make_room_for_each_other(tmp_path: Path) -> None:
    row = {"sha256": "0" * 64, "created": 1.0, "expires": None}
    fill(tmp_path / tokens.FILE, tokens._AT_MOST, lambda _: row)
    with pytest.raises(BadKeys, match="1000 tokens already"):
        Tokens(tmp_path).add("one-more", Role.VIEWER)


class TestAttempts:
    def test_failures_are_counted_for_so_many_and_then_the_oldest_make_room(self) -> None:
        limit = AttemptLimit(lambda: 0.0)
        for number in range(3 * attempts._REMEMBERED):
            limit.failed(f"address {number}")
        assert len(limit._failures) <= attempts._REMEMBERED

    def test_those_that_are_over_are_forgotten_first(self) -> None:
        now = 0.0
        limit = AttemptLimit(lambda: now)
        for number in range(attempts._REMEMBERED):
            limit.failed(f"old {number}")
        now = EACH + 1
        for _ in range(AT_ONCE):
            limit.failed("new")
        assert limit.seconds_to_wait("new") > 0
        assert set(limit._failures) == {"new"}


class TestMailboxes:
    def test_what_a_browser_does_not_read_is_lost_and_counted(self) -> None:
        async def run() -> list[Any]:
            mailbox = Mailbox()
            for number in range(3 * feed.EVENTS_KEPT):
                mailbox.put_event({"type": "event", "number": number})
                mailbox.put_output({"type": "output", "data": "x" * 1000}, 1000)
                mailbox.put_states("usage", "key", {"web": {"cpu": number}})
                mailbox.put_snapshot("key", {"type": "snapshot", "number": number})
            return await mailbox.take()

        messages = asyncio.run(run())
        by_type = {
            kind: [message for message in messages if message["type"] == kind]
            for kind in ("event", "output", "usage", "snapshot", "lost")
        }
        assert len(by_type["event"]) == feed.EVENTS_KEPT
        kept = sum(len(message["data"]) for message in by_type["output"])
        assert kept <= feed.OUTPUT_KEPT
        assert [message["number"] for message in by_type["snapshot"]] == [3 * feed.EVENTS_KEPT - 1]
        lost = {**by_type["lost"][0], **by_type["lost"][1]}
        assert lost["events"] == 2 * feed.EVENTS_KEPT
        assert lost["output"] + kept == 3 * feed.EVENTS_KEPT * 1000


def test_curves_have_so_many_points_and_go_with_their_watchers() -> None:
    usage = UsageTable()
    usage.follow(["web"])
    for number in range(3 * POINTS):
        usage.take(b"stat.web", json.dumps({"cpu_sum": number, "rss": 1}).encode())
        usage.take(f"stat.web.{number}".encode(), b'{"pid": 1}')
    assert len(usage.history()["web"]) == POINTS
    usage.follow(["other"])
    assert usage.history() == {}
    assert usage.sums == {}


def test_a_name_that_nobody_has_takes_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People(tmp_path)
    people.put("ann", "correct horse battery", Role.VIEWER)
    hashes: list[str] = []

    def refuse(self: People, kept_hash: str, password: str) -> bool:
        hashes.append(kept_hash)
        return False

    monkeypatch.setattr(People, "_is_right", refuse)
    for name in ("ann", "nobody"):
        assert asyncio.run(people.checked(name, "wrong wrong wrong")) is None
    known, unknown = (text.rpartition("$")[0].rpartition("$")[0] for text in hashes)
    assert known == unknown, "the same kind of hash, of the same cost"
    assert known.startswith("$argon2id$")
