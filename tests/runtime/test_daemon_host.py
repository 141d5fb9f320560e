"""A daemon within another program has no processes of its own that could be exchanged."""

from __future__ import annotations

import asyncio

import pytest

from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.runtime.daemon_host import DaemonHost


def test_it_tells_nothing_and_refuses() -> None:
    host = DaemonHost()
    assert host.facts() == {}
    with pytest.raises(BadMessage, match="keeper = True"):
        asyncio.run(host.upgrade(None, 1.0, 1.0))
