"""The notifier's decisions, event by event, without a clock and without receivers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cvec_circus_core.api import ConfigError, read_settings
from cvec_circus_plugins.notifier.event_filter import EventFilter, RateLimit
from cvec_circus_plugins.notifier.message import LEFT_OUT, Message
from cvec_circus_plugins.notifier.settings import NotifierSettings, completed

REAP = {"watcher": "Web", "time": 86400.0, "seq": 7, "process_pid": 41, "reason": "exited"}


@pytest.mark.parametrize(
    ("event_filter", "watcher", "event", "reason", "takes"),
    [
        (EventFilter(("reap",), ("*",)), "Web", "reap", "stopped", True),
        (EventFilter(("reap", "stop"), ("*",)), "Web", "spawn", None, False),
        (EventFilter(("*",), ("web*", "db")), "WEB-1", "spawn", None, True),
        (EventFilter(("*",), ("web*", "db")), "dbs", "spawn", None, False),
        (EventFilter(("re*",), ("Some Web",)), "some web", "reload", None, True),
        (EventFilter(("reap",), ("*",), ("exited", "kill*")), "Web", "reap", "killed", True),
        (EventFilter(("reap",), ("*",), ("exited",)), "Web", "reap", "stopped", False),
        (EventFilter(("*",), ("*",), ("exited",)), "Web", "spawn", None, True),
    ],
)
def test_events_are_chosen(
    event_filter: EventFilter, watcher: str, event: str, reason: str | None, takes: bool
) -> None:
    assert event_filter.matches(watcher, event, {"reason": reason}) is takes


def test_so_many_go_through_and_the_others_are_counted() -> None:
    limit = RateLimit(2, 10.0)
    let = [limit.admit(at) for at in (0.0, 1.0, 2.0, 9.9, 10.0, 10.5, 11.0)]
    assert let == [True, True, False, False, True, False, True]
    assert (limit.left_out, limit.next_free_at(11.0)) == (3, 20.0)
    assert (limit.take_left_out(), limit.take_left_out()) == (3, 0)
    assert limit.next_free_at(25.0) in (20.0, 25.0)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$watcher: $event", "Web: reap"),
        ("pid ${process_pid} on $host, $$5", "pid 41 on here, $5"),
        ("[$exit_code]", "[]"),
        ("$time", "1970-01-02 00:00:00 UTC"),
        ("$summary", "Web on here: reap (process_pid 41, reason exited)"),
    ],
)
def test_templates_are_filled(template: str, text: str) -> None:
    assert Message("Web", "reap", REAP, "here").filled(template) == text


def test_in_json_every_value_is_a_text_of_json() -> None:
    nasty = 'a "quote"\nand \\ more é'
    message = Message(nasty, "reap", {"reason": nasty}, "here")
    body = json.loads(message.filled('{"w": "$watcher", "r": "$reason"}', as_json=True))
    assert body == {"w": nasty, "r": nasty}


def test_the_usual_body_tells_everything() -> None:
    fields = json.loads(Message("Web", "reap", REAP, "here", 3).as_json())
    assert (fields["watcher"], fields["event"], fields["left_out"]) == ("Web", "reap", 3)
    assert (fields["body"], fields["time"]) == (REAP, 86400.0)
    assert fields["summary"].endswith("(3 more events were not told)")
    assert Message("", LEFT_OUT, {}, "here", 1).summary == "1 more event was not told on here"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "needs a url, or mail_to, or both"),
        ({"url": "gopher://secret/"}, "url isn't an address that begins with http:// or https://"),
        ({"url": "http://x/", "body": "$"}, "body isn't a text in which \\$ stands before"),
        ({"url": "http://x/", "headers": "Bearer secret"}, "headers isn't headers, one 'Name: val"),
        ({"url": "http://x/", "at_most": "0"}, "at_most isn't an integer at least 1: '0'"),
        ({"mail_to": "a@b", "smtp_password": "secret"}, "smtp_password needs a smtp_user"),
        ({"mail_to": "a@b", "smtp_security": "ssl"}, "one of none, starttls or tls: 'ssl'"),
        (
            {"mail_to": "a@b", "smtp_user": "u", "smtp_password_file": "/nothing/here"},
            "smtp_password_file /nothing/here: no such file or directory",
        ),
    ],
)
def test_mistakes_are_told_without_secrets(config: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        completed(read_settings(NotifierSettings, config, "notifier"))
    assert "secret" not in str(error.value)


def test_a_password_may_stand_in_a_file(tmp_path: Any) -> None:
    file = tmp_path / "password"
    file.write_text("open sesame\n", encoding="utf-8")
    config = {"mail_to": "a@b.c, d@e.f", "smtp_user": "u", "smtp_password_file": str(file)}
    settings = completed(read_settings(NotifierSettings, config, "notifier"))
    assert settings.smtp_password == "open sesame"
    assert settings.mail_to == ("a@b.c", "d@e.f")
