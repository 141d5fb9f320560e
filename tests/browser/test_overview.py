"""The list of watchers: what it shows, searching, sorting, acting."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tests.browser.conftest import Sign
from tests.browser.visitors import Visitor
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import Daemon, until

Desk = tuple[Daemon, ConsoleProcess]


def names(visitor: Visitor) -> list[str]:
    """Return the names of the rows that can be seen, from top to bottom."""
    rows = visitor.page.locator("tbody tr:visible")
    return [row.get_attribute("data-watcher") for row in rows.all()]


class TestWhatIsShown:
    def test_state_processes_and_why(self, ann: Visitor) -> None:
        broken = ann.row("broken")
        broken.locator('[data-state="failed"]').wait_for()
        assert "exited with 3" in broken.inner_text()
        assert ann.row("web").locator(".state").inner_text() == "active"
        assert "2/2" in ann.row("web").inner_text()
        assert ann.row("off").locator(".state").inner_text() == "stopped"

    def test_curves_and_numbers_come_by_themselves(self, ann: Visitor) -> None:
        ann.until(
            """() => {
              const row = document.querySelector('tr[data-watcher="web"]');
              const path = row.querySelector(".spark.memory path[fill=none]");
              const curve = path.getAttribute("d") ?? "";
              return curve.split("L").length > 3 && /\\d[MK]/.test(row.textContent);
            }"""
        )
        assert re.search(r"\d[KMG]", ann.page.locator('[data-tile="memory"] dd').inner_text())

    def test_the_first_view_is_small_and_quick(self, desk: Desk) -> None:
        person = desk[1].signed_in()
        begun = time.perf_counter()
        html = person.browser.get("/")
        seconds = time.perf_counter() - begun
        assert 'data-watcher="web"' in html.text, "the list stands in the page itself"
        size = len(html.content)
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', html.text):
            size += len(person.browser.get(address).content)
        assert size < 200_000
        assert seconds < 0.3 or _best_of(person.browser) < 0.3

    def test_without_scripts_the_list_is_there(self, desk: Desk, sign: Sign) -> None:
        visitor = sign(desk[1])
        context = visitor.page.context.browser.new_context(
            java_script_enabled=False, storage_state=visitor.context.storage_state()
        )
        page = context.new_page()
        page.goto(desk[1].base)
        assert page.locator("tr[data-watcher]").count() >= 5
        context.close()


def _best_of(browser: httpx.Client) -> float:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        browser.get("/")
        times.append(time.perf_counter() - begun)
    return min(times)


class TestSearchAndSort:
    def test_search_by_name_state_and_reason(self, ann: Visitor) -> None:
        ann.row("broken").locator('[data-state="failed"]').wait_for()
        search = ann.page.get_by_label("Search watchers")
        search.fill("web")
        assert names(ann) == ["web"]
        search.fill("failed")
        assert names(ann) == ["broken"]
        assert ann.page.url.endswith("?q=failed")
        ann.open("/?q=family")
        assert names(ann) == ["family"]

    def test_sort_by_number_and_by_name(self, ann: Visitor) -> None:
        ann.until("() => document.querySelectorAll('.spark').length > 4")
        ann.page.get_by_role("button", name="Processes").click()
        assert names(ann)[0] == "web"
        head = ann.page.locator('th[data-key="processes"]')
        assert head.get_attribute("aria-sort") == "descending"
        ann.page.get_by_role("button", name="Name").click()
        assert names(ann) == sorted(names(ann))
        ann.page.get_by_role("button", name="Name").click()
        assert names(ann) == sorted(names(ann), reverse=True)


class TestActions:
    def test_start_and_stop(self, ann: Visitor, desk: Desk) -> None:
        ann.page.get_by_role("button", name="Start off", exact=True).click()
        assert "off started" in ann.outcome()
        ann.row("off").locator('[data-state="active"]').wait_for()
        assert desk[0].status("off")["status"] == "active"
        ann.page.get_by_role("button", name="Stop off", exact=True).click()
        ann.row("off").locator('[data-state="stopped"]').wait_for()
        assert desk[0].status("off")["status"] == "stopped"

    @pytest.mark.parametrize("verb", ["Restart", "Reload"])
    def test_restart_and_reload_replace_processes(
        self, ann: Visitor, desk: Desk, verb: str
    ) -> None:
        before = desk[0].pids("family")
        ann.page.get_by_role("button", name=f"{verb} family", exact=True).click()
        ann.outcome()
        assert not set(before) & set(desk[0].until_active("family", 1))

    def test_what_fails_is_told_with_its_last_output(self, ann: Visitor) -> None:
        ann.page.get_by_role("button", name="Start broken", exact=True).click()
        text = ann.outcome("error")
        assert "broken" in text
        assert "exited with 3" in text

    def test_an_action_on_all_is_asked_about(self, ann: Visitor, desk: Desk) -> None:
        before = desk[0].pids("family")
        ann.page.get_by_role("button", name="Reload all").click()
        ann.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        assert desk[0].pids("family") == before

    def test_an_event_of_another_caller_shows_within_a_moment(
        self, ann: Visitor, desk: Desk
    ) -> None:
        desk[0].ok("add", name="<img src=x onerror=alert(1)>", cmd="sleep 1000")
        row = ann.row("<img src=x onerror=alert(1)>")
        row.wait_for()
        assert row.locator("img").count() == 0
        desk[0].ok("rm", name="<img src=x onerror=alert(1)>", waiting=True)
        row.wait_for(state="detached")


def test_two_browsers_see_what_the_other_does(desk: Desk, sign: Sign) -> None:
    ann, bob = sign(desk[1], name="ann"), sign(desk[1], name="bob")
    ann.page.get_by_role("button", name="Start off", exact=True).click()
    bob.row("off").locator('[data-state="active"]').wait_for()
    bob.page.get_by_role("button", name="Stop off", exact=True).click()
    ann.row("off").locator('[data-state="stopped"]').wait_for()
    page = ann.open("/audit")
    page.get_by_role("cell", name=re.compile("ann")).first.wait_for()
    page.get_by_role("cell", name=re.compile("bob")).first.wait_for()


def test_a_viewer_sees_and_does_nothing(desk: Desk, sign: Sign) -> None:
    vic = sign(desk[1], "viewer", name="vic")
    assert vic.page.get_by_role("button", name="Stop web", exact=True).is_disabled()
    assert vic.page.get_by_role("link", name="Add a watcher").count() == 0
    page = vic.watcher("web")
    assert page.get_by_role("button", name=re.compile("^Kill")).first.is_disabled()
    page = vic.open("/daemons")
    assert page.get_by_role("button", name="Connect", exact=True).count() == 0
    # What the page does not offer, the daemon refuses besides.
    status = page.evaluate(
        """async () => {
          const { src } = document.querySelector('script[src*="daemons.js"]');
          const { act } = await import(src.replace("daemons.js", "console.js"));
          return (await act("stop", { name: "web" })).status;
        }"""
    )
    assert status == "error"
    until(lambda: desk[0].status("web")["status"] == "active")
