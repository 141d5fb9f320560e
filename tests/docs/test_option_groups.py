"""Every option stands in one group of the reference, and no group names one that is not there."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from cvec_circus_core.model.options import declared_families, declared_options
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec

EXTENSION = Path(__file__).resolve().parent.parent.parent / "docs" / "_ext"
SPECS = {"watcher": WatcherSpec, "daemon": ArbiterSpec, "socket": SocketSpec}


@pytest.mark.parametrize("whose", SPECS)
def test_each_has_its_place(whose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTENSION))
    from option_groups import GROUPS

    listed = Counter(name for words in GROUPS[whose].values() for name in words.split())
    present = {*declared_options(SPECS[whose]), *declared_families(SPECS[whose])}
    assert set(listed) == present, "docs/_ext/option_groups.py says where an option stands"
    assert set(listed.values()) == {1}
    del sys.modules["option_groups"]
