"""circus-top in a real terminal: keys go in, the screen comes out, in three sizes and more."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.answering import Answering
from tests.live.daemon import free_port
from tests.terminal.conftest import Open
from tests.terminal.terminal import Terminal
from tests.top.publishing import Publishing, World, process

SIZES = [(80, 24), (120, 40), (200, 60)]
SOCKETS = [
    {"fd": 7, "subtopic": 7, "reads": 30, "address": "127.0.0.1:8000"},
    {"fd": 8, "subtopic": 8, "reads": 3, "address": "/run/app.sock"},
]
QUICK = ("-d", "0.2")


def world() -> World:
    """Return a world of two watchers, of which one has many processes, and the daemon."""
    many = [process(400 + n, n / 2, wid=n, cmdline="gunicorn") for n in range(1, 101)]
    return World(
        {
            "web": many,
            "api:v1": [process(500, 63.5, wid=1, cmdline="api", mem=4.2)],
            "circus": [process(100, 0.3, name="circusd", cmdline="python3")],
        },
        SOCKETS,
    )


@pytest.fixture(scope="module")
def stats() -> Iterator[str]:
    """Return an endpoint where that world is told."""
    with Publishing(world(), every=0.2) as publishing:
        yield publishing.endpoint


def begin(open_terminal: Open, stats: str, *words: str, **environment: str) -> Terminal:
    """Start circus-top in a terminal of 80 columns, and wait until it shows something."""
    top = open_terminal(
        *("circus-top", "--endpoint", stats, "--control", "ipc:///no/such/daemon", *QUICK, *words),
        **{"columns": 80, "rows": 24, **environment},
    )
    top.wait_for("500")
    return top


@pytest.fixture
def top(open_terminal: Open, stats: str) -> Terminal:
    """Return a console of the usual size."""
    return begin(open_terminal, stats)


def body(terminal: Terminal) -> list[str]:
    """Return the lines between the titles and the foot."""
    return [line for line in terminal.lines()[5:-2] if line]


def chosen(terminal: Terminal) -> str:
    """Return the row that stands out: the only one that is reversed as a whole."""
    lines: list[tuple[str, bool]] = []
    is_reversed = False
    for line in terminal.coloured_screen().split("\n"):
        text, plain = "", ""
        # Attributes go on from line to line until a code changes them.
        for code, piece in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
            numbers = code.split(";")
            if not piece:
                is_reversed = "7" in numbers or (is_reversed and not {"", "0", "27"} & {*numbers})
            text += piece
            plain += "" if is_reversed else piece
        lines.append((text, not plain.strip()))
    return next((text.strip() for text, is_whole in lines[5:-2] if is_whole and text.strip()), "")


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_it_fills_the_screen(open_terminal: Open, stats: str, columns: int, rows: int) -> None:
    top = begin(open_terminal, stats, columns=columns, rows=rows)
    lines = top.lines()
    assert len(lines) == rows
    assert lines[0].startswith(f" circus-top  {stats}")
    assert lines[0].endswith(tuple("0123456789"))
    assert len(lines[0]) in (columns - 1, columns)
    assert "2 watchers  102 processes" in lines[0]
    assert lines[1].startswith(" CPU  ")
    assert "2588.8%" in lines[1]
    assert lines[4].startswith("WATCHER / PROCESS")
    for title in ("PID", "CPU%↓", "MEM%", "RSS", "AGE"):
        assert title in lines[4]
    for title in ("USER", "TIME"):
        assert (title in lines[4]) is (columns > 80)
    assert lines[5].startswith("▾ web")
    assert lines[6].startswith("├─ 100 gunicorn")
    assert len(body(top)) == rows - 7
    assert lines[-1].startswith(" q quit  ? help")
    top.press("q")
    assert top.exit_code() == 0


def test_it_leaves_the_terminal_as_it_was(open_terminal: Open, stats: str) -> None:
    bash = open_terminal("bash", "--noprofile", "--norc", "-i", columns=80, rows=24)
    for way in ("q", "C-c"):
        bash.enter(f"clear; circus-top --endpoint {stats}; echo code $?")
        bash.wait_for("WATCHER / PROCESS")
        bash.press(way)
        bash.wait_for("code 0")
        assert "WATCHER" not in bash.screen()
        bash.enter("echo typed")
        bash.wait_for("$ echo typed\ntyped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_like_a_key(
    open_terminal: Open, stats: str, tmp_path: Path, number: signal.Signals
) -> None:
    bash = open_terminal("bash", "--noprofile", "--norc", "-i", columns=80, rows=24)
    file = tmp_path / "pid"
    bash.enter(f"sh -c 'echo $$ >{file}; exec circus-top --endpoint {stats}'; echo code $?")
    bash.wait_for("WATCHER / PROCESS")
    os.kill(int(file.read_text(encoding="utf-8")), number)
    bash.wait_for("code 0")
    bash.enter("echo typed")
    bash.wait_for("$ echo typed\ntyped")


def test_sorting(top: Terminal) -> None:
    for key, mark, first, second in (
        ("N", "WATCHER / PROCESS↑", "▾ api:v1", "└─ 1 api"),
        ("M", "MEM%↓", "▾ api:v1", "└─ 1 api"),
        ("P", "CPU%↓", "▾ web", "├─ 100 gunicorn"),
        ("R", "CPU%↑", "▾ circus", "└─ circusd"),
    ):
        top.press(key)
        top.wait_for(mark)
        assert body(top)[0].startswith(first)
        assert body(top)[1].startswith(second)
    top.press(">")
    top.wait_for("MEM%↓")


def test_choosing_and_scrolling(top: Terminal) -> None:
    assert chosen(top) == ""
    top.press("Down", "Down")
    wait_chosen(top, "├─ 100 gunicorn")
    top.press("PageDown")
    wait_chosen(top, "├─ 83 gunicorn")
    top.press("End")
    wait_chosen(top, "└─ circusd")
    assert body(top)[-1].startswith("└─ circusd")
    top.press("Home")
    wait_chosen(top, "▾ web")
    top.press("Escape")
    wait_chosen(top, "")


def test_folding(top: Terminal) -> None:
    top.press("Down", "Enter")
    top.wait_for("▸ web (100)")
    top.wait_for("└─ 1 api")
    top.press("Enter")
    top.wait_for("├─ 100 gunicorn")
    top.press("*")
    top.wait_for("▸ api:v1 (1)")
    assert [line.split()[1] for line in body(top)] == ["web", "api:v1", "circus"]


def test_filtering(top: Terminal) -> None:
    top.write("/Api")
    top.wait_for(" filter: Api_")
    top.wait_gone("gunicorn")
    top.press("Enter")
    top.wait_for("filter 'Api'")
    assert [line.split()[1] for line in body(top)] == ["api:v1", "1"]
    top.press("Escape")
    top.wait_for("gunicorn")
    top.write("/zzz")
    top.wait_for("nothing matches 'zzz'")


def test_a_flat_list(top: Terminal) -> None:
    top.press("t")
    top.wait_for("api:v1 1 api")
    assert body(top)[0].split()[:4] == ["api:v1", "1", "api", "500"]
    assert body(top)[1].split()[:4] == ["web", "100", "gunicorn", "500"]


def test_the_sockets_and_back(top: Terminal) -> None:
    top.press("v")
    top.wait_for("ADDRESS")
    assert [line.split()[:3] for line in body(top)] == [
        ["127.0.0.1:8000", "7", "30"],
        ["/run/app.sock", "8", "3"],
    ]
    top.press("Tab")
    top.wait_for("WATCHER / PROCESS")


def test_help_and_the_interval(top: Terminal) -> None:
    top.press("?")
    top.wait_for("any other key goes back")
    top.wait_for("leave")
    top.press("Space")
    top.wait_for("gunicorn")
    top.write("d3")
    top.wait_for("seconds between two pictures: 3_")
    top.press("Enter")
    top.wait_for("every 3 s")


def test_the_window_changes_its_size(top: Terminal) -> None:
    for columns, rows in (*SIZES[1:], (40, 12), (80, 24)):
        top.resize(columns, rows)
        top.wait(lambda size=(columns, rows): is_filled(top, *size), f"{columns}x{rows}")


def test_freezing(open_terminal: Open) -> None:
    changing = world()
    with Publishing(changing, every=0.2) as publishing:
        top = begin(open_terminal, publishing.endpoint)
        top.press("z")
        top.wait_for("frozen")
        changing.watchers["new"] = [process(900, 99.0)]
        top.press("M")
        top.wait_for("MEM%↓")
        assert "new" not in top.screen()
        top.press("z")
        top.wait_for("3 watchers")


@pytest.mark.parametrize("words", [{"NO_COLOR": "1"}, {"kind": "vt100"}])
def test_without_colours(open_terminal: Open, stats: str, words: dict[str, str]) -> None:
    top = begin(open_terminal, stats, **words)
    top.press("Down")
    wait_chosen(top, "▾ web")
    codes = set(re.findall(r"\x1b\[([\d;]*)m", top.coloured_screen()))
    numbers = {number for code in codes for number in code.split(";") if number}
    assert numbers <= {"0", "1", "7", "39", "49", "22", "27"}
    assert "7" in numbers


def test_with_colours(top: Terminal) -> None:
    assert "\x1b[32m" in top.coloured_screen()


def test_where_only_ascii_can_be_written(open_terminal: Open, stats: str) -> None:
    top = begin(open_terminal, stats, "--ascii")
    assert top.screen().isascii()
    assert body(top)[0].startswith("- web")
    assert "||||||" in body(top)[0]


def test_a_dumb_terminal_gets_lines(open_terminal: Open, stats: str) -> None:
    words = ("circus-top", "--endpoint", stats, "-n", "2", *QUICK)
    top = open_terminal(*words, kind="dumb", columns=160, rows=250)
    top.wait_for("TERM=dumb: no screen to draw on, so lines are printed")
    assert top.exit_code() == 0
    assert top.screen().count("circus-top 20") == 2


def test_the_daemon_goes_away_and_comes_back(open_terminal: Open) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with Publishing(world(), endpoint, every=0.2):
        top = begin(open_terminal, endpoint)
    top.wait_for(f"no answer from {endpoint}, trying again (")
    assert "gunicorn" in top.screen()
    top.press("Down")
    wait_chosen(top, "▾ web")
    with Publishing(World({"fresh": [process(700)]}), endpoint, every=0.2):
        top.wait_for("▾ fresh")
        top.wait_gone("no answer from")
        top.wait_gone("gunicorn")


@contextmanager
def answering(reply: dict[str, object]) -> Iterator[Answering]:
    """Run something that takes commands."""
    details = {"web": {"state": "active", "running": 100, "wanted": 100}}
    status = {"status": "ok", "details": details}
    with Answering(lambda asked: status if asked["command"] == "status" else reply) as one:
        yield one


def acts(daemon: Answering) -> list[tuple[str, dict[str, object]]]:
    """Return what was asked beside how all fare."""
    return [one for one in daemon.asked if one[0] != "status"]


@pytest.mark.parametrize(
    ("key", "question", "asked"),
    [
        ("s", "start the watcher web", ("start", {"name": "web"})),
        ("x", "stop the watcher web", ("stop", {"name": "web"})),
        ("r", "restart the watcher web", ("restart", {"name": "web"})),
        ("+", "add a process to web", ("incr", {"name": "web"})),
        ("-", "take a process from web", ("decr", {"name": "web"})),
    ],
)
def test_acting(
    open_terminal: Open, stats: str, key: str, question: str, asked: tuple[str, dict[str, object]]
) -> None:
    with answering({"status": "ok"}) as daemon:
        top = begin(open_terminal, stats, "--interactive", "--control", daemon.endpoint)
        top.wait_for("active")
        top.press("Down", key)
        top.wait_for(f"really {question}? y/n")
        top.press("n")
        top.wait_for("nothing was done")
        assert acts(daemon) == []
        top.press(key)
        top.wait_for(f"really {question}? y/n")
        top.press("y")
        top.wait_for(f"{question}: done")
        assert acts(daemon) == [asked]


def test_a_signal_goes_to_the_chosen_process(open_terminal: Open, stats: str) -> None:
    with answering({"status": "error", "errno": 7, "reason": "you may not"}) as daemon:
        top = begin(open_terminal, stats, "--interactive", "--control", daemon.endpoint)
        top.press("Down", "Down", "k")
        top.wait_for("signal: TERM_")
        top.press("C-u")
        top.write("usr1")
        top.press("Enter")
        top.wait_for("really send SIGUSR1 to process 500 of web? y/n")
        top.press("y")
        top.wait_for("refused, you may not")
        assert acts(daemon) == [("signal", {"name": "web", "pid": 500, "signum": 10})]


def test_it_only_looks_unless_it_is_told_otherwise(top: Terminal) -> None:
    top.press("Down", "x")
    top.wait_for("this console only looks: circus-top --interactive may act")


def wait_chosen(terminal: Terminal, line: str) -> None:
    """Wait until a line that begins so is chosen; nothing, where it is empty."""
    fact: Callable[[], bool] = (
        (lambda: chosen(terminal).startswith(line)) if line else (lambda: not chosen(terminal))
    )
    terminal.wait(fact, f"{line!r} chosen")


def is_filled(terminal: Terminal, columns: int, rows: int) -> bool:
    """Tell whether the screen has this size and is drawn for it."""
    lines = terminal.screen().split("\n")
    title = lines[0].rstrip()
    return (
        len(lines) == rows
        and len(title) in (columns, columns - 1)
        and lines[-1].startswith(" q quit")
    )
