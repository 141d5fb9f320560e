"""What every key does, without a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from cvec_circus_cli.top.keys import NOTHING_CHOSEN, READ_ONLY, Scene, Wish, press
from cvec_circus_cli.top.row import Sheet
from cvec_circus_cli.top.rows import rows_of
from cvec_circus_cli.top.snapshot import Snapshot
from cvec_circus_cli.top.view import Act, Console, Help, Purpose, Sure, Typing, View, settled
from tests.top.worlds import SNAPSHOT, crowd

PAGE = 5
SORTABLE = ("name", "pid", "cpu", "memory")
ACTIVE = Console(may_act=True)


def pressed(
    keys: Iterable[str], console: Console | None = None, snapshot: Snapshot = SNAPSHOT
) -> tuple[Console, list[Wish | Act]]:
    """Return the console after these keys, drawn after each, and all that was wished for."""
    console, wishes = console or Console(), []
    for key in keys:
        rows = rows_of(snapshot, console.view)
        console, wish = press(console, key, Scene(rows, PAGE, SORTABLE))
        rows = rows_of(snapshot, console.view)
        console = replace(console, view=settled(console.view, rows, PAGE))
        if wish is not None:
            wishes.append(wish)
    return console, wishes


@pytest.mark.parametrize(
    ("keys", "fields"),
    [
        ("M", {"sort": "memory"}),
        ("A", {"sort": "age"}),
        ("T", {"sort": "time"}),
        ("N", {"sort": "name"}),
        ("I", {"sort": "pid"}),
        ("MP", {"sort": "cpu"}),
        (">", {"sort": "memory"}),
        (">>", {"sort": "name"}),
        ("<", {"sort": "pid"}),
        ("R", {"is_reversed": True}),
        ("RR", {"is_reversed": False}),
        ("RM", {"is_reversed": False}),
        ("t", {"is_flat": True}),
        ("tt", {"is_flat": False}),
        ("a", {"is_mean": True}),
        ("v", {"sheet": Sheet.SOCKETS, "sort": "reads"}),
        (["tab"], {"sheet": Sheet.SOCKETS}),
        ("vM", {"sort": "reads"}),
        ("vv", {"sheet": Sheet.PROCESSES, "sort": "cpu"}),
        ("*", {"folded": frozenset({"web", "db", "off", "circus"})}),
        ("**", {"folded": frozenset()}),
        (["down"], {"chosen": "web", "index": 0}),
        (["down", "down"], {"chosen": "web/12", "index": 1}),
        (["down", "down", "up"], {"chosen": "web"}),
        (["down", "up", "up"], {"chosen": "web"}),
        (["down", "pagedown"], {"chosen": "db/21", "index": 5, "top": 1}),
        (["down", "pagedown", "pageup"], {"chosen": "web", "top": 0}),
        (["end"], {"chosen": "off", "index": 8, "top": 4}),
        (["end", "home"], {"chosen": "web", "top": 0}),
        (["end", "down"], {"chosen": "off"}),
        (["down", "escape"], {"chosen": None}),
        (["scrolldown"], {"chosen": None, "top": 3}),
        (["scrolldown", "scrolldown", "scrolldown"], {"top": 4}),
        (["scrolldown", "scrollup", "scrollup"], {"top": 0}),
        (["down", "enter"], {"folded": frozenset({"web"}), "chosen": "web"}),
        (["down", "enter", " "], {"folded": frozenset()}),
        (["down", "down", "left"], {"folded": frozenset({"web"}), "chosen": "web"}),
        (["down", "left", "left"], {"folded": frozenset({"web"})}),
        (["down", "left", "right"], {"folded": frozenset()}),
        (["down", "right"], {"folded": frozenset()}),
        (["enter"], {"folded": frozenset()}),
        ("Y", {}),
    ],
)
def test_what_is_looked_at(keys: Iterable[str], fields: dict[str, Any]) -> None:
    console, wishes = pressed(keys)
    assert {name: getattr(console.view, name) for name in fields} == fields
    assert wishes == []


@pytest.mark.parametrize("key", ["q", "ctrl+c", "f10"])
def test_leaving(key: str) -> None:
    assert pressed([key])[1] == [Wish.QUIT]


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["/", *"web"], "web"),
        (["/", *"web", "enter"], "web"),
        (["/", *"web", "backspace"], "we"),
        (["/", *"web", "ctrl+u"], ""),
        (["/", *"web", "escape"], ""),
        (["/", *"web", "enter", "/", *"x", "escape"], "web"),
        (["/", *"web", "enter", "escape"], ""),
        (["/", *"qvR", "enter"], "qvR"),
        (["/", "up", "f5", *"a"], "a"),
    ],
)
def test_a_filter_counts_while_it_is_typed(keys: list[str], shown: str) -> None:
    assert pressed(keys)[0].view.filter == shown


def test_ctrl_c_leaves_from_a_dialog_and_q_is_a_letter_there() -> None:
    assert pressed(["/", "q"])[1] == []
    assert pressed(["/", "ctrl+c"])[1] == [Wish.QUIT]


@pytest.mark.parametrize(
    ("text", "interval", "message"),
    [
        ("5", 5.0, "a new picture every 5 s"),
        ("0.5", 0.5, "a new picture every 0.5 s"),
        ("", 1.0, ""),
        ("0", 1.0, "seconds are a number from 0.1 to 3600, not '0'"),
        ("nan", 1.0, "seconds are a number from 0.1 to 3600, not 'nan'"),
        ("soon", 1.0, "seconds are a number from 0.1 to 3600, not 'soon'"),
    ],
)
def test_the_interval(text: str, interval: float, message: str) -> None:
    console, _ = pressed(["d", *text, "enter"])
    assert (console.interval, console.message, console.dialog) == (interval, message, None)


@pytest.mark.parametrize("key", ["?", "h", "f1"])
def test_help_is_scrolled_and_left_by_any_other_key(key: str) -> None:
    assert pressed([key])[0].dialog == Help()
    assert pressed([key, "down", "down", "up"])[0].dialog == Help(1)
    assert pressed([key, "up"])[0].dialog == Help()
    assert pressed([key, "q"]) == (Console(), [])


def test_freezing() -> None:
    assert pressed("z")[0].is_frozen
    assert not pressed("zz")[0].is_frozen


def test_the_chosen_process_stays_chosen_when_the_order_changes() -> None:
    console, _ = pressed(["down", "down"])
    assert console.view.chosen == "web/12"
    rows = rows_of(SNAPSHOT, replace(console.view, sort="age"))
    view = settled(replace(console.view, sort="age"), rows, PAGE)
    assert (view.chosen, rows[view.index].id) == ("web/12", "web/12")


def test_where_the_chosen_one_is_gone_its_neighbour_is_chosen() -> None:
    console, _ = pressed(["end"], snapshot=crowd(30))
    assert console.view.chosen == "web/1"
    rows = rows_of(crowd(20), replace(console.view, chosen="web/99"))
    view = settled(replace(console.view, chosen="web/99"), rows, PAGE)
    assert (view.index, view.chosen, view.top) == (20, "web/1", 16)
    assert settled(view, [], PAGE).chosen is None


@pytest.mark.parametrize("key", "sxr+-k")
def test_nothing_acts_without_being_allowed_to(key: str) -> None:
    console, wishes = pressed(["down", key, "y"])
    assert wishes == []
    assert pressed(["down", key])[0].message == READ_ONLY
    assert console.dialog is None


@pytest.mark.parametrize(
    ("key", "command", "told"),
    [
        ("s", "start", "start the watcher web"),
        ("x", "stop", "stop the watcher web"),
        ("r", "restart", "restart the watcher web"),
        ("+", "incr", "add a process to web"),
        ("-", "decr", "take a process from web"),
    ],
)
@pytest.mark.parametrize("steps", [1, 2])
def test_acts_are_done_when_they_are_confirmed(
    key: str, command: str, told: str, steps: int
) -> None:
    act = Act(command, (("name", "web"),), told)
    down = ["down"] * steps
    assert pressed([*down, key], ACTIVE)[0].dialog == Sure(act)
    assert pressed([*down, key, "y"], ACTIVE)[1] == [act]
    for other in ("n", "escape", "enter", "q", key):
        console, wishes = pressed([*down, key, other], ACTIVE)
        assert (wishes, console.message, console.dialog) == ([], "nothing was done", None)


@pytest.mark.parametrize(
    ("steps", "keys", "properties", "told"),
    [
        (1, [], {"name": "web", "signum": 15}, "send SIGTERM to all processes of web"),
        (2, [], {"name": "web", "signum": 15, "pid": 12}, "send SIGTERM to process 12 of web"),
        (2, ["ctrl+u", *"hup"], {"name": "web", "signum": 1, "pid": 12}, None),
        (2, ["ctrl+u", *"10"], {"name": "web", "signum": 10, "pid": 12}, None),
    ],
)
def test_signals(steps: int, keys: list[str], properties: dict[str, Any], told: str | None) -> None:
    (act,) = pressed([*["down"] * steps, "k", *keys, "enter", "y"], ACTIVE)[1]
    assert isinstance(act, Act)
    assert (act.command, dict(act.properties)) == ("signal", properties)
    assert told in (None, act.text)


def test_a_signal_that_does_not_exist_is_told() -> None:
    console, wishes = pressed(["down", "k", *"XX", "enter", "y"], ACTIVE)
    assert wishes == []
    console, _ = pressed(["down", "k", *"XX", "enter"], ACTIVE)
    assert console.message == "a signal is a name such as HUP or a number, not 'TERMXX'"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["x"], NOTHING_CHOSEN),
        (["v", "down", "x"], NOTHING_CHOSEN),
        (["end", "up", "up", "x"], "that is the daemon itself: see circusctl quit"),
    ],
)
def test_what_can_not_be_acted_on(keys: list[str], message: str) -> None:
    console, wishes = pressed(keys, ACTIVE)
    assert (console.message, console.dialog, wishes) == (message, None, [])


def test_a_confirmation_is_about_what_was_chosen_whatever_moves_meanwhile() -> None:
    console, _ = pressed(["down", "down", "k", "enter"], ACTIVE)
    other = Snapshot(groups=(SNAPSHOT.groups[1],))
    _, wishes = pressed(["y"], console, other)
    assert [dict(wish.properties)["pid"] for wish in wishes if isinstance(wish, Act)] == [12]


def test_purposes_are_typed_for() -> None:
    assert pressed("/")[0].dialog == Typing(Purpose.FILTER)
    assert pressed("d")[0].dialog == Typing(Purpose.INTERVAL)
    assert View() == pressed([])[0].view
