"""Adding a watcher, the configuration, sockets, plugins, events, audit, and several daemons."""

from __future__ import annotations

import re
import socket

from tests.browser.conftest import Sign, daemon_of
from tests.browser.visitors import Visitor
from tests.httpd.consoles import ConsoleProcess
from tests.live.conftest import accounted
from tests.live.daemon import Daemon

Desk = tuple[Daemon, ConsoleProcess]


class TestAdding:
    def test_a_new_watcher_runs_with_its_options(self, ann: Visitor, desk: Desk) -> None:
        ann.page.get_by_role("link", name="Add a watcher").click()
        page = ann.page
        page.get_by_label("Name").fill("fresh")
        page.get_by_label("Command line").fill("sleep 1000")
        page.get_by_label("Processes").fill("2")
        page.get_by_label("Further options").fill("graceful_timeout = 3\nready = spawned\n")
        page.get_by_role("button", name="Add the watcher").click()
        page.wait_for_url(re.compile("/processes/fresh$"))
        ann.until("() => document.querySelectorAll('tr[data-pid]').length === 2")
        options = desk[0].ok("options", name="fresh")["options"]
        assert (options["numprocesses"], options["graceful_timeout"]) == (2, 3.0)
        desk[0].ok("rm", name="fresh", waiting=True)

    def test_a_mistake_is_told_and_what_was_typed_stays(self, ann: Visitor) -> None:
        page = ann.open("/add")
        page.get_by_label("Name").fill("wrong")
        page.get_by_label("Command line").fill("sleep 1000")
        page.get_by_label("Further options").fill("graceful_timeout = soon")
        page.get_by_role("button", name="Add the watcher").click()
        assert "graceful_timeout" in page.get_by_role("alert").inner_text()
        assert page.get_by_label("Command line").input_value() == "sleep 1000"
        ann.complaints.clear()  # the browser tells of the 400


class TestConfiguration:
    def test_plan_then_apply(self, sign: Sign, desk: Desk) -> None:
        daemon = desk[0]
        ann = sign(desk[1])
        page = ann.open("/configuration")
        page.get_by_text("there is nothing to do").wait_for()
        text = daemon.file.read_text()
        try:
            daemon.file.write_text(text + "\n[watcher:late]\ncmd = sleep 1000\nready = spawned\n")
            page.get_by_role("button", name="Plan again").click()
            page.get_by_role("row", name=re.compile("add late")).wait_for()
            assert "late" not in daemon.ok("list")["watchers"], "a plan changes nothing"
            page.get_by_role("button", name="Apply").click()
            ann.outcome()
            assert "late" in daemon.ok("list")["watchers"]
            daemon.file.write_text(text)
            page.get_by_role("button", name="Plan again").click()
            page.get_by_role("row", name=re.compile("remove late")).wait_for()
            page.get_by_role("button", name="Apply").click()
            page.get_by_role("dialog").get_by_role("button", name="Apply").click()
            page.get_by_text("there is nothing to do").wait_for()
            assert "late" not in daemon.ok("list")["watchers"]
        finally:
            daemon.file.write_text(text)

    def test_a_file_with_mistakes_tells_them(self, ann: Visitor, desk: Desk) -> None:
        text = desk[0].file.read_text()
        try:
            desk[0].file.write_text(text + "\n[watcher:bad]\ncmd = x\nnumprocesses = many\n")
            page = ann.open("/configuration")
            page.get_by_text(re.compile("numprocesses")).wait_for()
            assert page.get_by_role("button", name="Apply").is_disabled()
        finally:
            desk[0].file.write_text(text)


def test_sockets_with_connections_and_backlog(ann: Visitor, desk: Desk) -> None:
    page = ann.open("/sockets")
    row = page.get_by_role("row", name=re.compile("front"))
    assert "2048" in row.inner_text()
    port = desk[0].ok("listsockets")["sockets"][0]["port"]
    with socket.create_connection(("127.0.0.1", port)):
        ann.until("() => document.querySelector('[data-cell=queued]').textContent === '1'")


def test_plugins(ann: Visitor) -> None:
    page = ann.open("/plugins")
    assert page.get_by_role("row", name=re.compile("^flapping flapping")).is_visible()
    assert page.get_by_role("row", name=re.compile("commands status")).is_visible()


def test_events_with_a_filter_and_a_pause(ann: Visitor, desk: Desk) -> None:
    page = ann.open("/events")
    desk[0].ok("start", name="off", waiting=True)
    page.locator("#events tr", has_text="spawn").first.wait_for()
    page.get_by_label("Filter").fill("off spawn")
    rows = page.locator("#events tbody tr:visible")
    assert all("off" in row.inner_text() and "spawn" in row.inner_text() for row in rows.all())
    page.get_by_label("Filter").fill("")
    page.get_by_role("button", name="Pause").click()
    desk[0].ok("stop", name="off", waiting=True)
    page.get_by_role("button", name=re.compile(r"Go on \([1-9]")).click()
    page.get_by_label("Kind of event").select_option("stop")
    kinds = {row.locator(".tag").inner_text() for row in rows.all()}
    assert kinds == {"stop"}


def test_who_did_what_names_the_person(ann: Visitor, sign: Sign, desk: Desk) -> None:
    page = ann.open("/audit")
    eve = sign(desk[1], name="eve")
    eve.page.get_by_role("button", name="Restart family", exact=True).click()
    eve.outcome()
    row = page.locator("#events tr", has_text="eve").first
    row.wait_for()
    assert "restart" in row.inner_text()
    assert "family" in row.inner_text()
    assert "ok" in row.inner_text()


class TestSeveralDaemons:
    def test_connect_see_both_and_disconnect(self, ann: Visitor, desk: Desk) -> None:
        with accounted() as daemons:
            other = daemon_of("[watcher:elsewhere]\ncmd = sleep 1000\nready = spawned\n", False)
            daemons.append(other)
            other.start().until_active("elsewhere", 1)
            page = ann.open("/daemons")
            page.get_by_label("Control endpoint").fill(other.endpoint)
            page.get_by_role("button", name="Connect", exact=True).click()
            row = page.locator("#daemons tbody tr", has_text=other.endpoint)
            row.locator(".state", has_text="connected").wait_for()
            ann.open("/")
            ann.row("elsewhere").locator('[data-state="active"]').wait_for()
            assert ann.row("web").is_visible()
            assert "Statistics are off" in page.locator("main").inner_text()
            page.get_by_role("button", name="Turn statistics on").click()
            ann.outcome()
            ann.row("circusd-stats").last.wait_for()
            ann.until(
                r"""() => /\d[KMG]/.test(document.querySelector(
                  'tr[data-watcher="elsewhere"] [data-label="Memory"]').textContent)"""
            )
            other.ok("rm", name="circusd-stats", waiting=True)
            page.get_by_text("Statistics are off").wait_for()
            ann.open("/daemons")
            row.get_by_role("button", name="Disconnect").click()
            row.wait_for(state="detached")

    def test_what_is_no_endpoint_is_refused(self, ann: Visitor) -> None:
        page = ann.open("/daemons")
        page.get_by_label("Control endpoint").fill("http://example.org")
        page.get_by_role("button", name="Connect", exact=True).click()
        assert "is no endpoint" in page.get_by_role("alert").inner_text()
        ann.complaints.clear()  # the browser tells of the 400
