"""Signing in and out: links, passwords, tokens, sessions."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import httpx
import pytest

from tests.httpd.consoles import PASSWORD, ConsoleProcess, person_on, word_of
from tests.live.daemon import Daemon

Shared = tuple[Daemon, ConsoleProcess]


def signs_in(browser: httpx.Client, **form: str) -> bool:
    """Tell whether a form lets somebody in."""
    return browser.post("/sign-in", data=form).status_code == 303


class TestLinks:
    def test_the_first_link_is_printed_and_lets_an_operator_in_once(self, shared: Shared) -> None:
        _, console = shared
        secret = console.first_link()
        browser = console.client()
        page = browser.get("/sign-in", params={"link": secret})
        assert page.status_code == 200
        assert "This link lets you in once." in page.text
        assert not browser.cookies, "looking at a link must not use it up"
        assert signs_in(browser, link=secret)
        assert person_on(browser.get("/"))[1] == "operator"
        assert not signs_in(console.client(), link=secret)

    @pytest.mark.parametrize("secret", ["x", "", "a" * 5000, "\0", "../../etc/passwd"])
    def test_a_made_up_link_lets_nobody_in(self, shared: Shared, secret: str) -> None:
        _, console = shared
        console.signed_in()  # forgets earlier failures of this address
        assert not signs_in(console.client(), link=secret)

    def test_another_link_is_printed_where_somebody_asks_for_it(self, shared: Shared) -> None:
        _, console = shared
        printed = console.run("link", "kim", "--role", "viewer")
        assert (printed.returncode, printed.stderr) == (0, "")
        address, _, secret = printed.stdout.strip().partition("?link=")
        assert address == f"{console.base}/sign-in"
        browser = console.client()
        assert signs_in(browser, link=secret)
        assert person_on(browser.get("/")) == ("kim", "viewer")

    def test_a_link_may_be_for_a_viewer(self, shared: Shared) -> None:
        _, console = shared
        viewer = console.signed_in("viewer", "vic")
        assert person_on(viewer.browser.get("/")) == ("vic", "viewer")


class TestPasswords:
    def test_who_is_in_the_file_may_come_in_and_others_not(self, shared: Shared) -> None:
        _, console = shared
        made = console.run("password", "bob", "--role", "viewer", given=f"{PASSWORD}\n")
        assert (made.returncode, made.stdout) == (0, "bob can sign in now, as viewer\n")
        assert signs_in(console.client(), name="bob", password=PASSWORD)
        assert not signs_in(console.client(), name="bob", password=f"{PASSWORD}!")
        assert not signs_in(console.client(), name="nobody", password=PASSWORD)

    def test_the_file_holds_no_password_and_is_private(self, shared: Shared) -> None:
        _, console = shared
        console.run("password", "eve", given=f"{PASSWORD}\n")
        file = console.folder / "kept" / "people.json"
        assert PASSWORD not in file.read_text()
        assert "$argon2id$" in file.read_text()
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600

    def test_a_short_password_is_refused(self, shared: Shared) -> None:
        _, console = shared
        refused = console.run("password", "bob", given="short\n")
        assert refused.returncode == 1
        assert refused.stderr == "circushttpd: a password has at least 10 characters\n"

    @pytest.mark.parametrize("name", ["", "a b", "../x", "a\nb", "<b>", "a" * 65])
    def test_a_name_that_is_none_is_refused(self, shared: Shared, name: str) -> None:
        _, console = shared
        refused = console.run("password", name or " ", given=f"{PASSWORD}\n")
        assert refused.returncode == 1
        assert "is no name of a person" in refused.stderr

    def test_sessions_end_where_a_password_is_changed_or_taken_away(self, shared: Shared) -> None:
        _, console = shared
        console.run("password", "dan", given=f"{PASSWORD}\n")
        browser = console.client()
        for words in (("password", "dan"), ("password", "dan", "--remove")):
            assert signs_in(browser, name="dan", password=PASSWORD)
            assert browser.get("/").status_code == 200
            console.run(*words, given=f"{PASSWORD}\n")
            assert browser.get("/").status_code == 303

    def test_a_role_that_is_taken_away_counts_at_once(self, shared: Shared) -> None:
        _, console = shared
        console.run("password", "gil", given=f"{PASSWORD}\n")
        browser = console.client()
        assert signs_in(browser, name="gil", password=PASSWORD)
        file = console.folder / "kept" / "people.json"
        rows = json.loads(file.read_text())
        rows["gil"]["role"] = "viewer"
        file.write_text(json.dumps(rows))
        assert person_on(browser.get("/")) == ("gil", "viewer")


def test_attempts_are_limited(shared: Shared) -> None:
    daemon, _ = shared
    console = ConsoleProcess(daemon.endpoint).start()
    try:
        console.run("password", "bob", given=f"{PASSWORD}\n")
        statuses = [
            console.client().post("/sign-in", data={"name": "bob", "password": "wrong"}).status_code
            for _ in range(8)
        ]
        assert statuses == [403] * 5 + [429] * 3
        right = console.client().post("/sign-in", data={"name": "bob", "password": PASSWORD})
        assert right.status_code == 429
        assert 0 < int(right.headers["retry-after"]) <= 60
    finally:
        console.stop()


class TestSessions:
    def test_the_cookie_is_for_the_server_alone(self, shared: Shared) -> None:
        _, console = shared
        response = console.client().post("/sign-in", data={"link": console.new_link()})
        attributes = response.headers["set-cookie"].lower()
        assert "httponly" in attributes
        assert "samesite=lax" in attributes
        assert "path=/" in attributes

    def test_a_cookie_that_was_there_before_is_never_the_one_of_a_session(
        self, shared: Shared
    ) -> None:
        _, console = shared
        name = next(iter(console.signed_in().browser.cookies))
        victim = console.client()
        victim.cookies.set(name, "chosen-by-somebody-else")
        assert signs_in(victim, link=console.new_link())
        other = console.client()
        other.cookies.set(name, "chosen-by-somebody-else")
        assert other.get("/").status_code == 303
        assert victim.get("/").status_code == 200

    def test_signing_in_again_ends_the_session_before(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        earlier = person.cookie
        assert signs_in(person.browser, link=console.new_link())
        assert person.cookie != earlier
        assert console.client(cookie=earlier).get("/").status_code == 303

    def test_signing_out_needs_the_word_and_ends_the_session(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        cookie = person.cookie
        console.client(cookie=cookie).post("/sign-out")
        assert console.client(cookie=cookie).get("/").status_code == 200
        person.browser.post("/sign-out", data={"csrf": person.word})
        assert console.client(cookie=cookie).get("/").status_code == 303

    def test_a_session_that_is_not_used_is_over(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        _change_sessions(console, lambda row: {**row, "used": row["used"] - 13 * 3600})
        assert person.browser.get("/").status_code == 303
        assert person.act("incr", name="web").status_code == 401

    def test_a_session_is_over_after_a_week_however_much_it_is_used(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        _change_sessions(console, lambda row: {**row, "created": row["created"] - 8 * 86400})
        assert person.browser.get("/").status_code == 303

    def test_the_file_is_no_way_in(self, shared: Shared) -> None:
        _, console = shared
        person = console.signed_in()
        text = (console.folder / "kept" / "sessions.json").read_text()
        assert all(value not in text for value in person.browser.cookies.values())

    def test_sessions_outlive_the_console(self, shared: Shared) -> None:
        daemon, _ = shared
        console = ConsoleProcess(daemon.endpoint).start()
        try:
            person = console.signed_in()
            console.stop()
            console.start()
            assert word_of(person.browser.get("/")) == person.word
        finally:
            console.stop()


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil",
        "/a\nb",
        "javascript:x",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(shared: Shared, target: str) -> None:
    _, console = shared
    form = {"link": console.new_link(), "next": target}
    response = console.client().post("/sign-in", data=form)
    assert response.headers["location"] == "/"


def test_people_come_back_to_the_page_that_they_wanted(shared: Shared) -> None:
    _, console = shared
    response = console.client().get("/api?x=1&y=%2F")
    assert response.headers["location"] == "/sign-in?next=%2Fapi%3Fx%3D1%26y%3D%252F"
    form = {"link": console.new_link(), "next": "/api?x=1"}
    assert console.client().post("/sign-in", data=form).headers["location"] == "/api?x=1"


class TestTokens:
    def test_a_token_lets_a_program_in_until_it_is_taken_away(self, shared: Shared) -> None:
        _, console = shared
        program = Program(console, self.made(console, "deploy", "operator"))
        assert program.act("incr", name="web").status_code == 200
        assert program.act("decr", name="web").status_code == 200
        tokens = console.folder / "kept" / "tokens.json"
        assert program.token not in tokens.read_text()
        rows = json.loads(tokens.read_text())
        rows.pop("deploy")
        tokens.write_text(json.dumps(rows))
        assert program.act("incr", name="web").status_code == 401

    def test_a_token_that_has_expired_is_none(self, shared: Shared) -> None:
        _, console = shared
        program = Program(console, self.made(console, "old", "operator"))
        assert program.act("status").status_code == 200
        _change(console, "tokens.json", lambda row: {**row, "expires": 1.0})
        assert program.act("status").status_code == 401

    @pytest.mark.parametrize("token", ["x", "circus_", "circus_" + "A" * 43, "\x7f"])
    def test_a_made_up_token_is_none(self, shared: Shared, token: str) -> None:
        _, console = shared
        assert Program(console, token).act("status").status_code == 401

    def made(self, console: ConsoleProcess, name: str, role: str) -> str:
        """Make a token in the folder of the console."""
        from cvec_circus_core.model.access import Role
        from cvec_circus_plugins.httpd.tokens import Tokens

        return Tokens(Path(console.folder / "kept")).add(name, Role(role))


class Program:
    """A program with a token, and no browser."""

    def __init__(self, console: ConsoleProcess, token: str) -> None:
        self.token = token
        self._client = console.client(authorization=f"Bearer {token}")

    def act(self, command: str, **properties: object) -> httpx.Response:
        """Run a command."""
        return self._client.post(f"/api/commands/{command}", json=properties)


def _change_sessions(console: ConsoleProcess, change: object) -> None:
    _change(console, "sessions.json", change)


def _change(console: ConsoleProcess, name: str, change: object) -> None:
    assert callable(change)
    file = console.folder / "kept" / name
    rows = json.loads(file.read_text())
    file.write_text(json.dumps({key: change(row) for key, row in rows.items()}))
