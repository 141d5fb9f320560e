"""Variables in a file, and which environment each watcher gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.expansion import expand, expand_variable

Reader = Callable[..., Loaded]
SEEN = {"HOME": "/root", "Mixed": "m", "MONEY": "$HOME", "LOOP": "$(circus.env.HOME)"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(circus.env.HOME)/x", "/root/x"),
        ("((circus.env.HOME))/x", "/root/x"),
        ("((CIRCUS.ENV.HOME))", "/root"),
        ("$(circus.env.home)", "/root"),
        ("$(circus.env.mixed)", "m"),
        ("$(circus.env.MONEY)", "$HOME"),
        ("$(circus.env.LOOP)", "$(circus.env.HOME)"),
        ("$$(circus.env.HOME)", "$/root"),
        ("$HOME ${HOME} $$", "$HOME ${HOME} $$"),
        ("$(circus.wid) $(circus.sockets.web) $WID", "$(circus.wid) $(circus.sockets.web) $WID"),
        ("$(circus.env.HOME", "$(circus.env.HOME"),
        ("(circus.env.HOME)", "(circus.env.HOME)"),
    ],
)
def test_variables_of_any_option(text: str, expanded: str) -> None:
    assert expand(text, SEEN) == (expanded, ())


def test_an_unknown_variable_stays_and_is_told() -> None:
    assert expand("$(circus.env.NO)-((circus.env.NEIN))", SEEN) == (
        "$(circus.env.NO)-((circus.env.NEIN))",
        ("NO", "NEIN"),
    )


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$HOME/x", "/root/x"),
        ("$HOME$HOME", "/root/root"),
        ("$MISSING.", "."),
        ("$$HOME", "$HOME"),
        ("$$$HOME", "$/root"),
        ("$home $Mixed ${HOME}", "$home $Mixed ${HOME}"),
        ("$HOMEs", "$HOMEs"),
        ("$MONEY", "$HOME"),
        ("$WID", "$WID"),
        ("$1 $ $", "$1 $ $"),
        ("$(circus.env.HOME) ((circus.env.home))", "/root /root"),
        ("$(circus.env.NO)", "$(circus.env.NO)"),
        ("$(circus.env.LOOP)", "$(circus.env.HOME)"),
    ],
)
def test_variables_of_env_sections(text: str, expanded: str) -> None:
    assert expand_variable(text, SEEN) == expanded


ENVIRONMENTS = """
[env]
A = one
B = $A/two
lower = $(circus.env.A)
[env:web, api-*]
A = three
C = $A $B
[env:api-1]
A = four
[env:none]
A = five
[watcher:Web]
cmd = run $(circus.env.A)
[watcher:api-1]
cmd = run $(circus.env.A)
env = A=own
[watcher:other]
cmd = run $(circus.env.A) $(circus.env.X)
"""


@pytest.mark.parametrize(
    ("watcher", "cmd", "env"),
    [
        ("Web", "run three", {"A": "three", "B": "one/two", "lower": "one", "C": "three one/two"}),
        ("api-1", "run four", {"A": "own", "B": "one/two", "lower": "one", "C": "three one/two"}),
        ("other", "run one outer", {"A": "one", "B": "one/two", "lower": "one"}),
    ],
)
def test_later_and_closer_sections_win(
    read: Reader, watcher: str, cmd: str, env: Mapping[str, str]
) -> None:
    loaded = read(ENVIRONMENTS, environ={"A": "outer", "X": "outer"})
    assert not loaded.problems
    spec = next(one for one in loaded.watchers if one.name == watcher)
    assert (spec.cmd, spec.env) == (cmd, env)


def test_without_env_sections_nothing_is_added(read: Reader) -> None:
    loaded = read("[watcher:w]\ncmd = x\n", environ={"SECRET": "a$BCD"})
    assert loaded.watchers[0].env == {}


def test_every_section_is_expanded(read: Reader) -> None:
    text = """
[circus]
endpoint = tcp://$(circus.env.WHERE):5555
[socket:web]
port = $(circus.env.PORT)
[watcher:w]
cmd = x
numprocesses = ((circus.env.COUNT))
stdout_stream.filename = $(circus.env.LOGS)/w.log
[plugin:p]
use = a.B
host = $(circus.env.WHERE)
"""
    environ = {"WHERE": "localhost", "PORT": "81", "COUNT": "3", "LOGS": "/log"}
    loaded = read(text, environ=environ)
    assert not loaded.problems
    assert loaded.arbiter.endpoint == "tcp://localhost:5555"
    assert loaded.sockets[0].port == 81
    assert loaded.watchers[0].numprocesses == 3
    assert loaded.watchers[0].stdout_stream == {"filename": "/log/w.log"}
    assert loaded.plugins[0].options == {"host": "localhost"}


def test_a_wrong_value_is_shown_as_it_was_expanded(
    read: Reader, told: Callable[..., list[str]]
) -> None:
    text = "[watcher:w]\ncmd = x\nnumprocesses = $(circus.env.COUNT)\n"
    assert told(read(text, environ={"COUNT": "few"}).problems) == [
        "app.ini:3: [watcher:w] numprocesses = few: isn't an integer "
        "(allowed: an integer at least 0)"
    ]


def test_an_unset_variable_is_warned_of(read: Reader, told: Callable[..., list[str]]) -> None:
    text = "[watcher:w]\ncmd = x $(circus.env.NO)\n"
    assert told(read(text).warnings) == [
        "app.ini:2: [watcher:w] cmd = x $(circus.env.NO): "
        "names the environment variable NO, which is not set"
    ]


def test_a_dollar_is_the_daemons_value_whatever_a_wildcard_made_of_it(
    read: Callable[..., Loaded],
) -> None:
    text = (
        "[env:*]\nPATH = /all:$PATH\nOWN = x\n[env:web]\nPATH = /web:$PATH\nA = $OWN\nB = $A\n"
        "[watcher:web]\ncmd = w\n[watcher:other]\ncmd = o\n"
    )
    other, web = read(text, {"PATH": "/bin"}).watchers
    assert other.env["PATH"] == "/all:/bin"
    assert (web.env["PATH"], web.env["A"], web.env["B"]) == ("/web:/bin", "x", "x")
