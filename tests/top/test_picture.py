"""The whole screen as text, in every size and state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cvec_circus_cli.top.columns import PROCESS_COLUMNS, chosen_columns
from cvec_circus_cli.top.glyphs import ASCII, UNICODE, Pen
from cvec_circus_cli.top.lines import Tone, width
from cvec_circus_cli.top.picture import Canvas, Picture, picture
from cvec_circus_cli.top.row import Sheet
from cvec_circus_cli.top.snapshot import Link, Snapshot
from cvec_circus_cli.top.view import Act, Console, Help, Purpose, Sure, Typing, View
from tests.top.worlds import ENDPOINT, LINK, SNAPSHOT, WEB, crowd, group, process


def drawn(
    console: Console | None = None,
    snapshot: Snapshot = SNAPSHOT,
    size: tuple[int, int] = (80, 24),
    link: Link = LINK,
    pen: Pen = ASCII,
) -> Picture:
    """Return a picture on a machine of two cores."""
    return picture(snapshot, link, console or Console(), Canvas(*size, pen, 2))


def texts(found: Picture) -> list[str]:
    """Return its lines without blanks at their ends."""
    return [line.text.rstrip() for line in found.lines]


def test_the_usual_screen() -> None:
    lines = texts(drawn())
    assert lines[0].startswith(f" circus-top  {ENDPOINT}")
    assert "3 watchers  5 processes" in lines[0]
    assert lines[1].startswith(" CPU  ||||||||||||||||||")
    assert " 119.2%" in lines[1]
    assert " 9.0%" in lines[2]
    assert lines[3] == " every 1 s, read-only"
    assert lines[4:14] == [
        "WATCHER / PROCESS          PID STATE        CPU%v              MEM%   RSS    AGE",
        "- web                          active        89.0 ||||||||||.   2.5  6.0M  1m00s",
        "|- 2 gunicorn               12               80.0 |||||||||..   1.5  2.0M  1m00s",
        "|- 1 gunicorn               11                9.0 |..........   0.5  2.0M  1m00s",
        "`- 10 gunicorn              13                  -               0.5  2.0M  1m00s",
        "- db                                         30.0 |||........   6.0  2.0M  1d00h",
        "`- 1 sleep                  21               30.0 |||........   6.0  2.0M  1d00h",
        "- circus                                      0.2 |..........   0.5  2.0M  1m00s",
        "`- circusd                   1                0.2 |..........   0.5  2.0M  1m00s",
        "- off                          stopped",
    ]
    assert lines[-1].startswith(" q quit  ? help")


@pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5), (1, 1), (0, 0)]
)
@pytest.mark.parametrize("pen", [ASCII, UNICODE])
@pytest.mark.parametrize(
    "console",
    [
        Console(),
        Console(View(Sheet.SOCKETS, "reads")),
        Console(dialog=Help()),
        Console(dialog=Typing(Purpose.FILTER, "x" * 300)),
        Console(message="y" * 300),
        Console(View(is_flat=True, is_mean=True, filter="web"), is_frozen=True),
    ],
    ids=["tree", "sockets", "help", "typing", "message", "flat"],
)
def test_every_size_is_filled_and_not_left(
    size: tuple[int, int], pen: Pen, console: Console
) -> None:
    for snapshot in (SNAPSHOT, Snapshot(), crowd(500)):
        found = drawn(console, snapshot, size, pen=pen)
        assert len(found.lines) == size[1]
        assert {width(line.text) for line in found.lines} <= {size[0]}
        if pen is ASCII:
            assert all(line.text.isascii() for line in found.lines)


@pytest.mark.parametrize(
    ("room", "names"),
    [
        (20, "name"),
        (28, "name pid"),
        (50, "name pid cpu memory resident"),
        (80, "name pid state cpu cpu_bar memory resident age"),
        (
            120,
            "name pid user state cpu cpu_bar history memory memory_bar resident age time",
        ),
        (200, " ".join(column.name for column in PROCESS_COLUMNS)),
    ],
)
def test_what_matters_most_is_left_where_there_is_little_room(room: int, names: str) -> None:
    found = chosen_columns(PROCESS_COLUMNS, room)
    expected = set(names.split())
    assert {column.name for column, _ in found} >= expected
    assert sum(columns for _, columns in found) + len(found) - 1 <= room


def test_a_column_of_which_nothing_is_known_takes_no_room() -> None:
    some = process("web", 1, user="", resident=None)
    title = texts(drawn(snapshot=Snapshot(groups=(group("web", some),)), size=(200, 24)))[4]
    assert "USER" not in title
    assert "THR" not in title
    assert "RSS" in title


def test_numbers_of_plugins_have_columns() -> None:
    some = process("web", 1, 5.0, extra={"requests": 17.0, "in_flight": "a\x1bb", "cpu": 99.0})
    lines = texts(drawn(snapshot=Snapshot(groups=(group("web", some),)), size=(120, 24)))
    assert "REQUESTS" in lines[4]
    assert "IN_FLIGHT" in lines[4]
    assert lines[6].split()[-2:] == ["a?b", "17"]
    assert " 5.0 " in lines[6]


@pytest.mark.parametrize("name", [column.name for column in PROCESS_COLUMNS if not column.is_drawn])
def test_the_sorted_column_has_an_arrow_however_narrow_it_is(name: str) -> None:
    some = process("web", 1, threads=1, files=1, pss=1.0, below_cpu=1.0, below_resident=1.0)
    snapshot = Snapshot(groups=(group("web", some),))
    for is_reversed in (False, True):
        console = Console(View(sort=name, is_reversed=is_reversed))
        title = texts(drawn(console, snapshot, (250, 24), pen=UNICODE))[4]
        assert title.count("↑") + title.count("↓") == 1


def test_the_list_scrolls_with_what_is_chosen() -> None:
    console = Console(View(chosen="web/50"))
    found = drawn(console, crowd(100))
    assert [line.text.split()[1] for line in found.lines if line.is_chosen] == ["50"]
    assert found.console.view.top == found.console.view.index - found.scene.page + 1
    again = drawn(found.console, crowd(100))
    assert again.lines == found.lines


def test_a_bar_shows_shares_of_as_many_cores_as_the_busiest_needs() -> None:
    some = [process("web", 1, 250.0), process("web", 2, 75.0)]
    lines = texts(drawn(snapshot=Snapshot(groups=(group("web", *some),))))
    assert [line.count("|") - line.startswith("|-") for line in lines[5:8]] == [9, 7, 2]


@pytest.mark.parametrize(
    ("console", "link", "line", "text"),
    [
        (Console(interval=2.5), LINK, 3, " every 2.5 s, read-only"),
        (Console(may_act=True), LINK, 3, " every 1 s, interactive"),
        (Console(View(filter="we")), LINK, 3, " filter 'we', every 1 s, read-only"),
        (
            Console(View(is_flat=True, is_mean=True)),
            LINK,
            3,
            " by worker average, flat, every 1 s, read-only",
        ),
        (Console(is_frozen=True), LINK, 3, " every 1 s, read-only (frozen: z goes on)"),
        (
            Console(),
            Link(ENDPOINT, 12.4),
            3,
            f" no answer from {ENDPOINT}, trying again (12 s)",
        ),
        (Console(View(filter="zz")), LINK, 5, " nothing matches 'zz': Esc shows everything"),
        (
            Console(dialog=Typing(Purpose.FILTER, "we")),
            LINK,
            -2,
            " filter: we_ (Enter: keep, Esc: give up)",
        ),
        (
            Console(dialog=Sure(Act("stop", (), "stop the watcher web"))),
            LINK,
            -2,
            " really stop the watcher web? y/n",
        ),
        (Console(message="done\x1b"), LINK, -2, " done?"),
    ],
)
def test_what_is_told(console: Console, link: Link, line: int, text: str) -> None:
    assert texts(drawn(console, link=link))[line] == text


def test_nothing_known_yet_and_nothing_there() -> None:
    assert texts(drawn(snapshot=Snapshot()))[5] == " waiting for numbers"
    assert texts(drawn(snapshot=Snapshot(at=1.0)))[5] == " no watchers"
    sockets = Console(View(Sheet.SOCKETS, "reads"))
    assert texts(drawn(sockets, Snapshot(at=1.0)))[5] == " the daemon has no sockets"


def test_the_sockets() -> None:
    lines = texts(drawn(Console(View(Sheet.SOCKETS, "reads")), size=(120, 24)))
    assert lines[4].split() == [
        *("ADDRESS", "FD", "NAME", "CONNS", "READSv", "HISTORY", "QUEUED", "BACKLOG", "REFUSED"),
    ]
    assert lines[5].split()[:4] == ["/run/x.sock", "8", "-", "90"]
    words = lines[6].split()
    assert words[:5] == ["127.0.0.1:80", "7", "web", "5", "30"]
    assert words[-4:] == ["64", "||||.....", "128", "2"]


@pytest.mark.parametrize("may_act", [False, True])
def test_the_help_fits_a_small_screen(may_act: bool) -> None:
    lines = texts(drawn(Console(dialog=Help(), may_act=may_act)))
    assert any(line.startswith(" q, Ctrl-C") for line in lines)
    assert any(line.startswith(" s x r") for line in lines) is may_act
    if not may_act:
        assert any("Bars share one scale" in line for line in lines)
    scrolled = texts(drawn(Console(dialog=Help(99), may_act=may_act)))
    assert any("each history has its own" in line for line in scrolled)


def test_a_stopped_watcher_and_one_that_lacks_processes_stand_out() -> None:
    few = replace(WEB, health=replace(WEB.health, running=2)) if WEB.health else WEB
    found = drawn(snapshot=Snapshot(groups=(few, SNAPSHOT.groups[2])), size=(120, 24))
    tones = {span.text.strip(): span.tone for line in found.lines for span in line.spans}
    assert tones["active 2/3"] is Tone.WARNING
    assert tones["stopped"] is Tone.BAD
