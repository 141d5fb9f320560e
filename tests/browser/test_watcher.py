"""The pages of a watcher: processes, output, options, events; every action on it."""

from __future__ import annotations

import os
import re
import signal

from tests.browser.conftest import Sign
from tests.browser.visitors import Visitor
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import Daemon, until

Desk = tuple[Daemon, ConsoleProcess]

FLOOD = f"yes {'x' * 99}"
"""Far more than ten million bytes in a second, if nobody held it back."""


class TestProcesses:
    def test_each_process_with_what_it_uses(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("web")
        pids = {int(row.get_attribute("data-pid")) for row in page.locator("tr[data-pid]").all()}
        assert pids == set(desk[0].pids("web"))
        row = page.locator("tr[data-pid]").first
        ann.until(
            r"""() => /\d %/.test(document.querySelector('[data-tile="cpu"] dd').textContent)"""
        )
        assert re.search(r"\d+(\.\d)?[KM]", row.inner_text())

    def test_descendants_can_be_opened(self, ann: Visitor, desk: Desk) -> None:
        desk[0].until_active("family", 1)
        page = ann.watcher("family")
        page.locator("tr[data-pid] summary").click()
        assert page.locator("tr[data-pid] li").count() == 2
        assert "sleep" in page.locator("tr[data-pid] li").first.inner_text()

    def test_more_and_fewer(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("web")
        page.get_by_role("button", name="One process more").click()
        ann.until("() => document.querySelectorAll('tr[data-pid]').length === 3")
        assert len(desk[0].until_active("web", 3)) == 3
        page.get_by_role("button", name="One process less").click()
        ann.until("() => document.querySelectorAll('tr[data-pid]').length === 2")

    def test_kill_one_which_is_replaced(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("web")
        pid = desk[0].until_active("web", 2)[0]
        page.get_by_role("button", name=f"Kill process {pid}").click()
        page.get_by_role("dialog").get_by_role("button", name="Kill").click()
        page.locator(f'tr[data-pid="{pid}"]').wait_for(state="detached")
        ann.until("() => document.querySelectorAll('tr[data-pid]').length === 2")
        assert pid not in desk[0].until_active("web", 2)

    def test_a_signal_to_one_and_to_all(self, ann: Visitor, desk: Desk) -> None:
        pid = desk[0].until_active("web", 2)[0]
        page = ann.watcher("web")
        page.get_by_label(f"Signal for process {pid}").select_option("USR1")
        page.get_by_role("button", name=f"Send the signal to process {pid}").click()
        assert "got the signal" in ann.outcome()
        heard = lambda: len(re.findall("heard USR1", _tail(desk[0])))  # noqa: E731
        until(lambda: heard() == 1)
        page.locator("#signal").select_option("USR1")
        page.get_by_role("button", name="Signal all").click()
        page.get_by_role("dialog").get_by_role("button", name="Send USR1").click()
        until(lambda: heard() == 3)

    def test_a_death_shows_by_itself(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("family")
        (pid,) = desk[0].until_active("family", 1)
        page.locator(f'tr[data-pid="{pid}"]').wait_for()
        os.kill(pid, signal.SIGKILL)
        page.locator(f'tr[data-pid="{pid}"]').wait_for(state="detached")
        page.locator("tr[data-pid]").wait_for()

    def test_remove(self, ann: Visitor, desk: Desk) -> None:
        desk[0].ok("add", name="a/b c", cmd="sleep 1000", start=True)
        ann.open("/")
        ann.page.get_by_role("link", name="a/b c").click()
        ann.until_live()
        ann.page.get_by_role("button", name="Remove a/b c").click()
        ann.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        ann.page.wait_for_url(f"{desk[1].base}/")
        assert "a/b c" not in desk[0].ok("list")["watchers"]


def _tail(daemon: Daemon) -> str:
    reply = daemon.ok("tail", name="web", merged=True, channel="stdout", lines=10_000)
    return "".join(entry["data"] for entry in reply["merged"])


def shown_lines(ann: Visitor) -> list[str]:
    """Return the lines of output that can be seen."""
    lines: list[str] = ann.page.evaluate(
        "() => [...document.querySelectorAll('.log .line:not([hidden]) .what')]"
        ".map(part => part.textContent)"
    )
    return lines


class TestOutput:
    def test_it_follows_without_a_gap_and_without_a_line_twice(self, ann: Visitor) -> None:
        ann.watcher("web", "output")
        ann.until("() => document.querySelectorAll('.log .line').length > 10")
        count = len(shown_lines(ann))
        ann.until("count => document.querySelectorAll('.log .line').length > count + 15", count)
        by_pid: dict[str, list[int]] = {}
        for line in shown_lines(ann):
            if match := re.fullmatch(r"line (\d+) of (\d+)", line):
                by_pid.setdefault(match[2], []).append(int(match[1]))
        assert by_pid
        for numbers in by_pid.values():
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    def test_escapes_and_markup_are_only_text(self, ann: Visitor, desk: Desk) -> None:
        desk[0].ok("restart", name="web", waiting=True)
        ann.watcher("web", "output")
        ann.until("() => document.querySelector('.log').textContent.includes('begun')")
        line = next(line for line in shown_lines(ann) if line.startswith("begun"))
        assert line == "begun red <b>bold</b> ␛]0;title␇"
        assert ann.page.locator(".log b").count() == 0

    def test_channels_apart_and_one_process(self, ann: Visitor) -> None:
        page = ann.watcher("web", "output")
        ann.until("() => document.querySelector('.log').textContent.includes('complaint')")
        page.locator("#channel").select_option("stderr")
        assert all(line.startswith("complaint") for line in shown_lines(ann))
        page.locator("#channel").select_option("all")
        ann.until("() => document.querySelector('#process').options.length >= 3")
        page.locator("#process").select_option(index=1)
        numbers = page.evaluate(
            "() => [...document.querySelectorAll('.log .line:not([hidden]) .who')]"
            ".map(part => part.textContent)"
        )
        assert set(numbers) == {page.locator("#process").input_value()}

    def test_search_marks_and_filters(self, ann: Visitor) -> None:
        page = ann.watcher("web", "output")
        ann.until("() => document.querySelector('.log').textContent.includes('complaint 5')")
        page.get_by_label("Search output").fill("COMPLAINT 5")
        assert page.locator(".log mark").first.inner_text() == "complaint 5"
        page.get_by_label("only matches").check()
        assert all("complaint 5" in line for line in shown_lines(ann))
        assert "match" in page.locator("#found").inner_text()

    def test_pause_and_go_on(self, ann: Visitor) -> None:
        page = ann.watcher("web", "output")
        ann.until("() => document.querySelectorAll('.log .line').length > 5")
        page.get_by_role("button", name="Pause").click()
        count = page.locator(".log .line").count()
        ann.until("() => /[1-9]\\d* new/.test(document.querySelector('#pause').textContent)")
        assert page.locator(".log .line").count() == count
        page.locator("#pause").click()
        ann.until("count => document.querySelectorAll('.log .line').length > count", count)

    def test_back_beyond_what_is_kept_into_the_file(self, ann: Visitor, desk: Desk) -> None:
        log = desk[0].folder / "web.log"
        older = "".join(f"ancient {number}\n" for number in range(1200))
        log.write_text(older + log.read_text())
        page = ann.watcher("web", "output")
        ann.until("() => document.querySelectorAll('.log .line').length > 5")
        button = page.get_by_role("button", name="Show older lines")
        for _ in range(10):
            button.dblclick()
            ann.until("() => !document.querySelector('#older [aria-busy]')")
            if not button.is_visible():
                break
        ancient = [line for line in shown_lines(ann) if line.startswith("ancient")]
        assert ancient == [f"ancient {number}" for number in range(1200)]
        numbers = [line for line in shown_lines(ann) if re.match(r"line \d+ of \d+$", line)]
        assert len(numbers) == len(set(numbers)), "no line stands there twice"

    def test_a_flood_is_followed_in_bounded_memory(self, ann: Visitor, desk: Desk) -> None:
        # Not into the daemon's own output, which would have gigabytes soon.
        sink = {
            "filename": str(desk[0].folder / "flood.log"),
            "max_bytes": 10**7,
            "backup_count": 1,
        }
        desk[0].ok("add", name="flood", cmd=FLOOD, start=True, options={"stdout_stream": sink})
        try:
            page = ann.watcher("flood", "output")
            page.locator('.line[data-channel="gap"]').first.wait_for(state="attached")
            ann.until("() => document.querySelectorAll('.log .line').length === 5000")
            for _ in range(5):
                assert page.locator(".log .line").count() <= 5000
                page.evaluate("() => new Promise(requestAnimationFrame)")
            ann.until(
                "() => { const log = document.querySelector('#log');"
                " return log.scrollHeight - log.scrollTop - log.clientHeight < 40; }"
            )
        finally:
            desk[0].ok("rm", name="flood", waiting=True)

    def test_downloads(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("web", "output")
        for name, beginning in (("Download", "begun"), ("Whole stdout file", "")):
            with page.expect_download() as download:
                page.get_by_role("link", name=name, exact=True).click()
            text = download.value.path().read_text()
            assert re.search(r"line \d+ of \d+", text)
            assert beginning in text


class TestOptions:
    def test_a_change_is_applied_and_says_what_it_needs(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("family", "options")
        before = desk[0].until_active("family", 1)
        page.get_by_label("graceful_timeout", exact=True).fill("1h30m")
        assert "used from now on" in page.locator("#summary").inner_text()
        page.get_by_label("numprocesses", exact=True).fill("2")
        assert "2 changes" in page.locator("#summary").inner_text()
        assert "added or removed" in page.locator("#summary").inner_text()
        page.get_by_role("button", name="Apply").click()
        ann.outcome()
        options = desk[0].ok("options", name="family")["options"]
        assert (options["graceful_timeout"], options["numprocesses"]) == (5400.0, 2)
        assert set(before) < set(desk[0].until_active("family", 2))
        ann.until("() => document.querySelector('#summary').textContent.startsWith('Nothing')")
        desk[0].ok("set", name="family", options={"numprocesses": 1, "graceful_timeout": 5})
        ann.until("() => document.querySelector('#option-numprocesses').value === '1'")

    def test_a_wrong_value_is_told_and_changes_nothing(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("family", "options")
        page.get_by_label("stop_signal", exact=True).fill("NONSENSE")
        page.get_by_role("button", name="Apply").click()
        assert "stop_signal" in ann.outcome("error")
        assert desk[0].ok("get", name="family", keys=["stop_signal"])["options"] == {
            "stop_signal": 15
        }
        ann.complaints.clear()  # the browser tells of the 400

    def test_another_option_and_search(self, ann: Visitor, desk: Desk) -> None:
        page = ann.watcher("off", "options")
        page.locator("#find").fill("respawn")
        assert page.locator("tr[data-option]:visible").count() >= 1
        page.locator("#new-option").fill("rlimit_nofile")
        page.locator("#new-value").fill("512")
        page.get_by_role("button", name="Apply").click()
        ann.outcome()
        assert desk[0].ok("get", name="off", keys=["rlimit_nofile"])["options"] == {
            "rlimit_nofile": 512
        }


def test_events_of_the_watcher_as_they_happen(ann: Visitor, desk: Desk, sign: Sign) -> None:
    page = ann.watcher("off", "events")
    desk[0].ok("start", name="off", waiting=True)
    page.locator("#events .tag", has_text="spawn").first.wait_for()
    desk[0].ok("stop", name="off", waiting=True)
    page.locator("#events .tag", has_text="reap").first.wait_for()
    other = sign(desk[1])
    page = other.watcher("off", "events")
    assert page.locator("#events .tag", has_text="reap").count() >= 1
