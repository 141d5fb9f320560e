"""Configurations of a fleet: what is read, what is refused, and what the documentation shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvec_circus_core.api import BadConfig
from cvec_circus_plugins.fleet.placement import Mode
from cvec_circus_plugins.fleet.wanted import Wanted, from_json, leashed, read_wanted, to_json

EXAMPLE = Path(__file__).parents[2] / "docs/examples/fleet/fleet.conf"


def test_the_example_of_the_documentation() -> None:
    watchers = read_wanted(EXAMPLE.read_text(), "fleet.conf")
    modes = {name: watcher.service.mode for name, watcher in watchers.items()}
    assert modes == {"web": Mode.SPREAD, "cache": Mode.ALL, "scheduler": Mode.ONE}
    assert watchers["web"].service.count == 6
    assert watchers["web"].options["cmd"] == "python3 -m http.server 8000"
    assert watchers["cache"].service.where.holds({"disk": "ssd"})


def test_a_revision_is_read_as_it_was_written() -> None:
    text = EXAMPLE.read_text()
    wanted = Wanted(7, read_wanted(text, "revision 7"), text, "ann", 12.5)
    assert from_json(7, to_json(wanted)) == wanted


@pytest.mark.parametrize("document", ["", "{", "[]", "{}", '{"text": "[watcher:w]"}', "null", "1"])
def test_what_is_no_revision_is_refused(document: str) -> None:
    with pytest.raises(ValueError):
        from_json(1, document)


def test_what_runs_once_runs_on_a_leash() -> None:
    text = "[watcher:w]\nfleet = one\ncmd = echo $HOME | cat\nshell = yes\nenv.A = b\n"
    watcher = read_wanted(text, "f")["w"]
    options = leashed(watcher, ["python", "leash.py", "file"], 42)
    assert options["cmd"] == "python leash.py file /bin/sh -c 'echo $HOME | cat'"
    assert options["env"] == {"A": "b", "CIRCUS_FENCE": "42"}
    assert "shell" not in options
    assert options["singleton"] is True


def test_an_option_that_changes_changes_the_digest() -> None:
    one, other = (
        read_wanted(f"[watcher:w]\ncmd = sleep {count}\n", "f")["w"].digest for count in (1, 2)
    )
    assert one != other


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[watcher:w]\n", "cmd"),
        ("[watcher:w]\ncmd = x\nfleet = two\n", "fleet = two: isn't all, spread or one"),
        ("[watcher:w]\ncmd = x\nfleet = local\n", "leave local watchers"),
        ("[watcher:w]\ncmd = x\nwhere = zone\n", "compares no label"),
        ("[watcher:w]\ncmd = x\nmax_per_host = many\n", "isn't a number"),
        ("[watcher:w]\ncmd = x\nmax_per_host = 0\n", "isn't a number"),
        ("[watcher:w]\ncmd = x\nanti_affinity = db\n", "names db, which is no watcher"),
        ("[watcher:w]\ncmd = x\nfleet = one\nnumprocesses = 2\n", "is 1 where fleet = one"),
        ("[watcher:w]\ncmd = x\nnumprocesses = -1\n", "numprocesses"),
        ("[watcher:w]\ncmd = x\nno_such = 1\n", "no_such"),
        ("[watcher:w]\ncmd = x\n[watcher:W]\ncmd = y\n", "is there already"),
        ("[socket:s]\nport = 1\n", "is no watcher"),
        ("[circus]\nendpoint = x\n", "is no watcher"),
        ("cmd = x\n", "fleet.conf:1"),
        ("", "has no watcher"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read_wanted(text, "fleet.conf")
    assert sentence in str(caught.value)
    assert "fleet.conf" in str(caught.value)


def test_all_mistakes_are_told() -> None:
    text = "[watcher:w]\ncmd = x\nnumprocesses = many\nwhere = no\n[watcher:v]\nfleet = 3\n"
    with pytest.raises(BadConfig) as caught:
        read_wanted(text, "f")
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (3, "numprocesses"),
        (4, "where"),
        (6, "fleet"),
    ]
