"""Command lines that count on a shell which is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.shell_words import shell_doubts

Read = Callable[[str], Loaded]


@pytest.mark.parametrize(
    ("cmd", "what"),
    [
        ("prog | tee log", "has '|'"),
        ("prog > out.log", "has '>'"),
        ("prog 2>&1", "has '2>&1'"),
        ("prog >>out", "has '>>out'"),
        ("prog < in", "has '<'"),
        ("first && second", "has '&&'"),
        ("first || second", "has '||'"),
        ("prog &", "has '&'"),
        ("first ; second", "has ';'"),
        ("PORT=1 prog", "begins with PORT=,"),
        ("~/bin/prog", "has '~/bin/prog'"),
        ("prog ~", "has '~'"),
        ("prog|tee log", "has '|'"),
        ("first&&second x", "has '&&'"),
        ("first; second", "has ';'"),
        ("prog `date`", "has '`date`'"),
        ("prog $(date +%s) x", "has '$(date +%s)'"),
        ("prog $HOME/x", "has '$HOME'"),
        ("prog ${PORT:-80}", "has '${PORT:-80}'"),
        ("prog *.py", "has '*.py'"),
        ("prog logs/* x", "has 'logs/*'"),
        ("prog ./data?", "has './data?'"),
    ],
)
def test_what_only_a_shell_understands_is_told(cmd: str, what: str) -> None:
    (fault,) = shell_doubts(cmd)
    assert fault.key == "cmd"
    assert fault.sentence.startswith(what)
    assert "shell = yes" in fault.sentence


@pytest.mark.parametrize(
    "cmd",
    [
        "",
        "prog --a=b x=y",
        "curl http://host/?a=1&b=2",
        "grep '|' file",
        'sh -c "a | b > c; ~/x && y"',
        "awk '{ print > 1 }' \\| \\>",
        "prog -> a<b 'x' file~",
        "prog --fd $(circus.sockets.web) $(CIRCUS.WID) $WID ((circus.env.HOME))",
        "prog --hosts=* * http://*:80/ --x=*.py '*.py' 'a;' \"$(date)\"",
        "prog $ 5$ a;b 2>=1 foo>=1.0",
    ],
)
def test_what_any_program_may_be_given_is_not(cmd: str) -> None:
    assert not list(shell_doubts(cmd))


@pytest.mark.parametrize("word", ["|", "&&", ">", "2>&1", ">>log"])
def test_it_is_told_of_arguments_too(read: Read, word: str) -> None:
    (warning,) = read(f"[watcher:w]\ncmd = prog\nargs = -x {word} y\n").warnings
    assert (warning.key, warning.line) == ("args", 3)
    assert f"has {word!r}" in warning.sentence
    assert not read(f"[watcher:w]\ncmd = prog\nshell = yes\nshell_args = -x {word} y\n").warnings


def test_it_is_a_warning_where_no_shell_reads_it(read: Read) -> None:
    (warning,) = read("[watcher:w]\ncmd = a | b\n").warnings
    assert (warning.key, warning.line) == ("cmd", 2)
    assert not read("[watcher:w]\nshell = yes\ncmd = a | b\n").warnings


def test_what_a_comment_cuts_off_a_shells_command_is_told(read: Read) -> None:
    loaded = read("[watcher:w]\nshell = yes\ncmd = first ; second\n")
    assert [spec.cmd for spec in loaded.watchers] == ["first"]
    (warning,) = loaded.warnings
    assert (warning.key, warning.line) == ("cmd", 3)
    assert "cut off the rest" in warning.sentence
