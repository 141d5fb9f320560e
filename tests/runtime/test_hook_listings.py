"""What is taken out of a listing of watchers is removed; nothing is put in by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.runtime.hook_listings import WatcherList, WatchersByName


def test_who_is_taken_out_of_the_list_is_removed() -> None:
    removed: list[str] = []
    watchers = WatcherList(["a", "b", "c", "d", "e"], removed.append)
    del watchers[watchers.index("b")]
    watchers.remove("d")
    assert watchers.pop() == "e"
    del watchers[:1]
    assert (removed, watchers) == (["b", "d", "e", "a"], ["c"])
    with pytest.raises(ValueError, match="not in list"):
        watchers.remove("b")


def test_who_is_taken_out_of_the_names_is_removed() -> None:
    removed: list[str] = []
    watchers = WatchersByName([("a", "A"), ("b", "B")], removed.append)
    assert watchers.pop("a") == "A"
    del watchers["b"]
    assert (removed, watchers, watchers.pop("a", None)) == (["A", "B"], {}, None)
    with pytest.raises(KeyError):
        watchers.pop("b")


def test_nobody_is_put_in_by_hand() -> None:
    listed: WatcherList[str] = WatcherList(["a"], print)
    named: WatchersByName[str] = WatchersByName([("a", "A")], print)
    writes: list[Callable[[], object]] = [
        lambda: listed.append("b"),
        lambda: listed.extend(["b"]),
        lambda: listed.insert(0, "b"),
    ]
    for write in writes:
        with pytest.raises(TypeError, match="add_watcher"):
            write()
    with pytest.raises(TypeError, match="add_watcher"):
        named["b"] = "B"
    assert (listed, named) == (["a"], {"a": "A"})
