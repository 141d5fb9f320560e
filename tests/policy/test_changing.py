"""What differs between two specs of a watcher, by the names that a file gives it."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.options import Needs
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.watcher.spec_change import changed, taken_back

OLD: dict[str, Any] = {
    "name": "w",
    "cmd": "x",
    "rlimits": {"core": 0},
    "stdout_stream": {"class": "FileStream", "filename": "a"},
    "hooks": {"after_stop": HookSpec("a.b")},
    "extra": {"foo": "1", "my.bar": "2"},
}


@pytest.mark.parametrize(
    ("new", "keys", "need"),
    [
        ({}, (), None),
        ({"cmd": "y"}, ("cmd",), Needs.NEW_PROCESSES),
        ({"extra": {"foo": "2", "my.bar": "2"}}, ("foo",), Needs.NOTHING),
        ({"extra": {"baz": "1"}}, ("foo", "my.bar", "baz"), Needs.NOTHING),
        ({"rlimits": {"core": 0, "nofile": None}}, ("rlimit_nofile",), Needs.NEW_PROCESSES),
        (
            {"stdout_stream": {"class": "FileStream", "filename": "b"}},
            ("stdout_stream.filename",),
            Needs.NEW_STREAMS,
        ),
        ({"hooks": {}}, ("hooks.after_stop",), Needs.NEW_HOOKS),
    ],
)
def test_what_differs_is_told_by_its_key(
    new: dict[str, Any], keys: tuple[str, ...], need: Needs | None
) -> None:
    what = changed(WatcherSpec(**OLD), WatcherSpec(**{**OLD, **new}))
    assert (what.keys, what.needs) == (keys, frozenset({need} if need else ()))
    assert what.fields == tuple(new)


def test_what_is_taken_back_is_told_by_its_key() -> None:
    before = WatcherSpec(**OLD)
    now = WatcherSpec(**{**OLD, "rlimits": {}, "extra": {}})
    assert taken_back(now, before) == (
        WatcherSpec(**{**OLD, "extra": {}}),
        ("rlimit_core",),
    )
