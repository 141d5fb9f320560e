"""Real servers get a release: a good one nobody notices, broken ones replace nobody."""

from __future__ import annotations

import pytest

from tests.rollout.releases import try_releases
from tests.rollout.servers import BROKEN, IMPORT, SERVERS

pytestmark = pytest.mark.live

THOROUGH = ("plain", "uvicorn", "gunicorn")
"""Those that get every kind of broken release in each run; the others by `releases`' program."""

SAY_IT_LAST = ("plain", "uvicorn", "waitress", "hypercorn")
"""Those whose last lines are about the import; others go on about their own end."""


def kinds_for(name: str) -> list[str]:
    """Return the releases that a server gets here."""
    return ["good", *(BROKEN if name in THOROUGH else BROKEN[1:2])]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SERVERS)
def test_a_release_is_brought_or_refused(name: str) -> None:
    if not SERVERS[name].is_installed:
        pytest.skip(f"{SERVERS[name].on_descriptor.split()[0]} is not installed")
    for outcome in try_releases(name, kinds_for(name)):
        assert outcome.seen.failures == [], outcome
        assert outcome.code == (0 if outcome.kind == "good" else 3), outcome
        assert outcome.are_others is (outcome.kind == "good"), outcome
        # How fast answers are is for a quiet machine; nobody waits for one that is importing.
        assert outcome.seen.slowest < IMPORT, outcome
        if outcome.code:
            assert "ready" in outcome.text, outcome
        if outcome.kind.startswith("no import") and name in SAY_IT_LAST:
            assert "no_such_module" in outcome.text.replace("-", "_"), outcome
