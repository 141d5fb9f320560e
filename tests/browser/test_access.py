"""By keyboard alone, on a phone, by those who can not see: every page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import Sign
from tests.browser.visitors import Visitor
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import Daemon

Desk = tuple[Daemon, ConsoleProcess]

PAGES = (
    *("/", "/events", "/audit", "/sockets", "/plugins", "/configuration", "/daemons", "/add"),
    *(f"/watchers/{{key}}/{tab}/web" for tab in ("processes", "output", "options", "events")),
)
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}


def page_of(visitor: Visitor, path: str) -> Any:
    """Open a page, with the key of the daemon in its path."""
    return visitor.open(path.format(key=visitor.key) if "{" in path else path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(desk: Desk, sign: Sign, scheme: str) -> None:
    visitor = sign(desk[1], color_scheme=scheme)
    visitor.row("broken").locator('[data-state="failed"]').wait_for()
    visitor.page.get_by_role("button", name="Restart family", exact=True).click()
    visitor.outcome()
    faults = {"/ with an outcome": visitor.serious_faults()}
    key = visitor.key
    for path in PAGES:
        visitor.open(path.format(key=key))
        faults[path] = visitor.serious_faults()
    assert {path: found for path, found in faults.items() if found} == {}


def test_axe_finds_nothing_serious_where_nobody_is_signed_in(desk: Desk, sign: Sign) -> None:
    visitor = sign(desk[1])
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.page.get_by_role("heading", name="Sign in to circus").wait_for()
    assert visitor.serious_faults() == []


def test_a_phone_scrolls_no_page_sideways(desk: Desk, sign: Sign) -> None:
    visitor = sign(desk[1], **PHONE)
    key = visitor.key
    too_wide = []
    for path in PAGES:
        page = visitor.open(path.format(key=key))
        width = page.evaluate("() => document.documentElement.scrollWidth")
        if width > 391:
            too_wide.append((path, width))
    assert too_wide == []
    visitor.open("/")
    visitor.page.get_by_role("button", name="Start off", exact=True).tap()
    visitor.row("off").locator('[data-state="active"]').wait_for()
    visitor.page.get_by_role("button", name="Stop off", exact=True).tap()
    visitor.row("off").locator('[data-state="stopped"]').wait_for()


def focused(visitor: Visitor) -> str:
    """Return what the keyboard stands on."""
    name: str = visitor.page.evaluate(
        "() => document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()"
    )
    return name


def tab_to(visitor: Visitor, name: str) -> None:
    """Press Tab until the keyboard stands on something."""
    for _ in range(120):
        visitor.page.keyboard.press("Tab")
        if focused(visitor) == name:
            return
    raise AssertionError(f"no Tab leads to {name!r}")


def test_by_keyboard_alone(desk: Desk, sign: Sign) -> None:
    visitor = sign(desk[1])
    visitor.page.keyboard.press("Tab")
    assert focused(visitor) == "Skip to content"
    visitor.page.keyboard.press("Enter")
    tab_to(visitor, "Start off")
    outline = visitor.page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2, "where the keyboard stands can be seen"
    visitor.page.keyboard.press("Enter")
    visitor.row("off").locator('[data-state="active"]').wait_for()
    visitor.outcome()
    assert focused(visitor) == "Start off", "the keyboard stays where it was"
    visitor.page.keyboard.press("Tab")
    assert focused(visitor) == "Stop off"
    visitor.page.keyboard.press("Enter")
    visitor.row("off").locator('[data-state="stopped"]').wait_for()
    tab_to(visitor, "web")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile("/processes/web$"))
    visitor.until_live()
    pid = desk[0].until_active("web", 2)[0]
    tab_to(visitor, f"Kill process {pid}")
    visitor.page.keyboard.press("Enter")
    assert focused(visitor) == "Cancel", "the safe answer stands first"
    visitor.page.keyboard.press("Escape")
    visitor.page.get_by_role("dialog").wait_for(state="detached")
    assert focused(visitor) == f"Kill process {pid}"
    assert pid in desk[0].pids("web")


def test_colours_follow_the_browser_and_the_switch(desk: Desk, sign: Sign) -> None:
    visitor = sign(desk[1], color_scheme="dark")
    colour = "() => getComputedStyle(document.body).backgroundColor"
    dark = visitor.page.evaluate(colour)
    visitor.page.get_by_role("button", name="Use light colours").click()
    light = visitor.page.evaluate(colour)
    assert light != dark
    visitor.open("/events")
    assert visitor.page.evaluate(colour) == light, "the next page has them at once"
