"""Somebody with a browser: signed in at a console, and looking for facts with a limit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.httpd.consoles import ConsoleProcess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LIMIT = 20_000
"""Milliseconds that a fact may take on a machine that has other things to do."""
SERIOUS = ("serious", "critical")


def axe_script() -> str:
    """Return the text of axe-core, which comes with a package of the test extra."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


class Visitor:
    """One browser with cookies of its own."""

    def __init__(
        self,
        browser: Any,
        console: ConsoleProcess,
        role: str = "operator",
        name: str = "ann",
        **options: Any,
    ) -> None:
        self.console = console
        self.complaints: list[str] = []
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, **options}
        )
        self.context.set_default_timeout(LIMIT)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._on_console)
        self.page.goto(f"{console.base}/sign-in?link={console.new_link(role, name)}")
        self.page.get_by_role("button", name="Sign in").click()
        self.until_live()

    def _on_console(self, message: Any) -> None:
        # A console that is away on purpose, or an action that is refused, is no mistake of a page.
        is_refusal = "/actions/" in message.location.get("url", "")
        is_away = "ERR_CONNECTION_REFUSED" in message.text
        if message.type == "error" and not is_refusal and not is_away:
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close the browser."""
        self.context.close()

    def until_live(self) -> None:
        """Wait until the page is kept up to date."""
        self.page.wait_for_selector("#live[data-live=live]", state="attached")

    @property
    def key(self) -> str:
        """What the first daemon is called in addresses."""
        key: str = self.page.locator("[data-daemon]").first.get_attribute("data-daemon")
        return key

    def open(self, path: str) -> Any:
        """Open a page of the console and wait until it is live."""
        self.page.goto(self.console.base + path)
        self.until_live()
        return self.page

    def watcher(self, name: str, tab: str = "processes") -> Any:
        """Open a page of a watcher of the first daemon."""
        self.open("/")
        return self.open(f"/watchers/{self.key}/{tab}/{name}")

    def row(self, name: str) -> Any:
        """Return the row of a watcher in the list."""
        return self.page.locator(f'tr[data-watcher="{name}"]')

    def until(self, script: str, argument: Any = None) -> None:
        """Wait until a script of the page says that something is so."""
        self.page.wait_for_function(script, arg=argument)

    def outcome(self, kind: str = "ok") -> str:
        """Wait for the outcome of an action and return its words."""
        toast = self.page.locator(f'.toast[data-outcome="{kind}"]').last
        toast.wait_for()
        text: str = toast.inner_text()
        return text

    def serious_faults(self) -> list[str]:
        """Return what axe-core finds of the page that keeps people out."""
        # By the debugger, because the page itself lets no script in but its own.
        self.page.evaluate(axe_script())
        results = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{fault['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
            for fault in results["violations"]
            if fault["impact"] in SERIOUS
            for node in fault["nodes"][:3]
        ]
