"""The notifier live: a real web server and a real mail server receive what it sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, free_port, until
from tests.live.receivers import Post, Web, post, web

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

WATCHERS = "[watcher:Some Web.app]\ncmd = sleep 1000\n[watcher:other]\ncmd = sleep 1001\n"
WEB = "Some Web.app"
PASSWORD = "a-password-nobody-else-has"
TOKEN = "a-token-nobody-else-has"


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as one:
        yield one


@pytest.fixture
def mails() -> Iterator[Post]:
    with post(PASSWORD) as one:
        yield one


@pytest.fixture(params=[True, False], ids=["process", "thread"])
def isolate(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def section(*options: str) -> str:
    """Return the section of the plugin."""
    return WATCHERS + "\n".join(["[plugin:tell]", "use = notifier", *options]) + "\n"


def to_web(server: Web, *options: str) -> str:
    """Return the section of one that sends to a web server."""
    return section(f"url = {server.url}hooks/{TOKEN}", "retry_pause = 0.05", *options)


def to_mail(port: int, *options: str) -> str:
    """Return the section of one that sends mail."""
    where = ("mail_to = ops@example.org, boss@example.org", "smtp_host = 127.0.0.1")
    who = ("smtp_user = circus", f"smtp_password = {PASSWORD}", "retry_pause = 0.05")
    return section(*where, f"smtp_port = {port}", *who, *options)


def until_heard(daemon: Daemon, fact: Any, event: str = "probe") -> None:
    """Let an event happen until something has come of it."""

    def heard() -> bool:
        daemon.ok("announce", name=WEB, event=event)
        return bool(fact())

    until(heard)


def test_a_webhook_is_told_what_was_chosen(start: Start, server: Web, isolate: bool) -> None:
    more = ("events = probe, reap", "watchers = some*", "reasons = exited", f"isolate = {isolate}")
    daemon = start(to_web(server, *more, "headers = X-Token: 5"))
    (pid,) = daemon.until_active(WEB)
    until_heard(daemon, lambda: server.asked)
    first = server.asked[0]
    assert (first.method, first.path) == ("POST", f"/hooks/{TOKEN}")
    assert (first.headers["content-type"], first.headers["x-token"]) == ("application/json", "5")
    told = json.loads(first.body)
    assert (told["watcher"], told["event"], told["body"]["watcher"]) == (WEB, "probe", WEB)
    daemon.ok("restart", name="other", waiting=True)
    daemon.ok("restart", name=WEB, waiting=True)  # reaped, but for another reason
    daemon.ok("signal", name=WEB, signum="KILL")

    def reaps() -> list[dict[str, Any]]:
        found = [json.loads(one.body) for one in server.asked]
        return [one for one in found if one["event"] == "reap"]

    until(lambda: bool(reaps()))
    (reap,) = reaps()
    assert (reap["watcher"], reap["body"]["exit_code"]) == (WEB, -9)
    assert reap["body"]["process_pid"] != pid


def test_templates_are_filled(start: Start, server: Web) -> None:
    body = 'body = {"text": "$$ $watcher: $event [$nothing]"}'
    daemon = start(to_web(server, "events = probe", body))
    until_heard(daemon, lambda: server.asked)
    assert json.loads(server.asked[0].body) == {"text": f"$ {WEB}: probe []"}


def test_mail_is_sent(start: Start, mails: Post, isolate: bool) -> None:
    more = ("events = probe", "mail_from = circus@example.org", f"isolate = {isolate}")
    daemon = start(to_mail(mails.port, *more))
    until_heard(daemon, lambda: mails.letters)
    letter = mails.letters[0]
    assert mails.receivers[0] == ["ops@example.org", "boss@example.org"]
    assert (letter["From"], letter["Subject"]) == (
        "circus@example.org",
        f"[circus] {WEB}: probe",
    )
    text = letter.get_content()
    assert f"watcher: {WEB}" in text
    assert "event: probe" in text


@pytest.mark.parametrize("words", [("options",), ("env",), ("get", "env"), ("options", "--json")])
def test_passwords_are_shown_nowhere(
    start: Start, server: Web, mails: Post, words: tuple[str, ...]
) -> None:
    body = to_mail(mails.port, "events = probe", f"url = {server.url}{TOKEN}")
    daemon = start(body + "singleton = False\n")
    until_heard(daemon, lambda: mails.letters and server.asked)
    command, *rest = words
    asked = daemon.control(command, "plugin:tell", *rest)
    assert asked.returncode == 0, asked.stderr
    # They are not lost either when the variables are set anew.
    daemon.ok("set", name="plugin:tell", options={"env": {"A": "B"}}, waiting=True)
    before = len(mails.letters)
    until_heard(daemon, lambda: len(mails.letters) > before)
    for secret in (PASSWORD, TOKEN):
        assert secret not in asked.stdout + asked.stderr
        assert secret not in daemon.text()
        assert secret not in json.dumps(daemon.ok("plugins"))


def test_a_flood_becomes_a_few_messages_and_a_count(start: Start, server: Web) -> None:
    daemon = start(to_web(server, "events = probe, more", "at_most = 3", "per = 2"))
    until_heard(daemon, lambda: server.asked)
    for _ in range(200):
        daemon.ok("announce", name=WEB, event="more")

    def counted() -> int:
        return sum(json.loads(one.body)["left_out"] for one in server.asked)

    def told() -> int:
        return sum(json.loads(one.body)["event"] != "left_out" for one in server.asked)

    until(lambda: counted() + told() >= 201)
    assert told() < 100
    assert json.loads(server.asked[-1].body)["left_out"] > 0


def test_what_fails_is_tried_again_and_then_given_up(
    start: Start, server: Web, mails: Post
) -> None:
    server.status = 503
    mails.refusals = ["451 try later", "451 try later"]
    body = to_mail(mails.port, f"url = {server.url}", "events = once", "retries = 2")
    daemon = start(body)
    until_heard(daemon, lambda: len(server.asked) >= 3, "once")
    until(lambda: daemon.said("is given up: it answers with status 503"))
    assert daemon.said("it answers with status 503; trying again in 0.05 s")
    # The mail server may be slower than the web server.
    until(lambda: daemon.said("451 try later; trying again in 0.1 s"))
    until(lambda: bool(mails.letters))


@pytest.mark.parametrize(
    ("status", "refusal", "told"),
    [
        (404, "550 unknown here", "it answers with status 404"),
        (403, "554 no thanks", "it answers with status 403"),
    ],
)
def test_what_is_refused_is_not_tried_again(
    start: Start, server: Web, mails: Post, status: int, refusal: str, told: str
) -> None:
    server.status = status
    mails.refusals = [refusal] * 1000
    daemon = start(to_mail(mails.port, f"url = {server.url}", "events = probe"))
    until_heard(daemon, lambda: daemon.said(f"probe of {WEB} is not taken: {told}"))
    until(lambda: daemon.said(f"is not taken: {refusal}"))
    assert not daemon.said("trying again")


def test_a_dead_receiver_holds_up_nobody(start: Start, server: Web, mails: Post) -> None:
    server.is_silent = True
    more = (f"url = {server.url}", "events = probe", "timeout = 1", "queue = 2", "at_most = 1000")
    daemon = start(to_mail(mails.port, *more))
    until_heard(daemon, lambda: len(mails.letters) > 10)
    until(lambda: daemon.said("2 messages wait, more are thrown away"))
    until(lambda: daemon.said("no answer within 1 s; trying again in 0.05 s"))
    # Its end does not wait for the attempt that hangs.
    assert daemon.stop(limit=20) == 0


def test_one_that_is_not_there_and_a_wrong_password_are_told(start: Start, mails: Post) -> None:
    body = to_mail(mails.port, "events = probe", f"url = http://127.0.0.1:{free_port()}/{TOKEN}")
    daemon = start(body.replace(PASSWORD, "a-wrong-word") + "retries = 0\n")
    until_heard(daemon, lambda: daemon.said("is given up: connection refused"))
    until(lambda: daemon.said("535 5.7.8"))
    assert TOKEN not in daemon.text()
    assert "a-wrong-word" not in daemon.text()
