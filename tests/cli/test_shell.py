"""The interactive shell: nothing that is typed ends it, but exit, Ctrl-D and Ctrl-C."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_cli import shell as shell_module
from cvec_circus_cli.settings import Settings
from cvec_circus_cli.shell import Shell
from tests.cli.answering import Answering
from tests.cli.conftest import Said

REPLIES: dict[str, Any] = {
    "status": {"status": "ok", "statuses": {"web": "active"}},
    "numwatchers": {"status": "ok", "numwatchers": 3},
    "incr": {"status": "ok", "numprocesses": 2},
    "stop": {"status": "error", "reason": "program nope not found"},
    "list": {"status": "ok", "watchers": ["web", "we b"]},
}
BEGINNING = f"circusctl {version('cvec-circus')}\nweb: active\n"


@pytest.fixture
def typed(
    circusctl: Callable[..., Said],
    daemon: Callable[..., Answering],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Said]:
    """Return a call that types these lines into the shell and then presses Ctrl-D."""

    def typed(*lines: str | BaseException) -> Said:
        there = daemon(REPLIES)
        monkeypatch.setattr("builtins.input", _keyboard(iter(lines)))
        return circusctl("--endpoint", there.endpoint)

    return typed


def _keyboard(lines: Iterator[str | BaseException]) -> Callable[[str], str]:
    def read(prompt: str) -> str:
        assert prompt == "(circusctl) "
        line = next(lines, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    return read


@pytest.mark.parametrize(
    ("lines", "code", "out", "err"),
    [
        ((), 0, "\n", ""),
        ((KeyboardInterrupt(),), 0, "\n", ""),
        (("exit", "numwatchers"), 0, "", ""),
        (("numwatchers",), 0, "3\n\n", ""),
        (("incr web", "", "  "), 0, "2\n\n", ""),
        (("# all of them: it's a comment", "  #", "numwatchers"), 0, "3\n\n", ""),
        (("stop nope", "numwatchers"), 3, "3\n\n", "error: no watcher is named 'nope'\n"),
        (
            ("nonsense now", "numwatchers"),
            2,
            "3\n\n",
            "*** Unknown syntax: nonsense now (unknown command: 'nonsense')\n",
        ),
        (
            ("incr", "numwatchers"),
            2,
            "3\n\n",
            "circusctl: NAME is missing\nusage: circusctl incr [--waiting] NAME [NB]\n",
        ),
        (
            ("--json numwatchers", "numwatchers"),
            0,
            '{"time": 1.0, "id": ANY, "status": "ok", "numwatchers": 3}\n3\n\n',
            "",
        ),
        (("--json", "numwatchers"), 2, "3\n\n", "*** there is no command after the options\n"),
        (("--jsn list", "numwatchers"), 2, "3\n\n", "*** there is no option --jsn\n"),
        (("incr 'web", "numwatchers"), 2, "3\n\n", "*** no closing quotation\n"),
        (("incr web --timeout soon",), 2, "\n", None),
        (("incr web --timeout 0.001 --endpoint ipc:///nowhere", "numwatchers"), 1, "3\n\n", None),
        (("completion bash",), 2, "\n", None),
    ],
)
def test_lines(
    typed: Callable[..., Said], lines: tuple[Any, ...], code: int, out: str, err: str | None
) -> None:
    said = typed(*lines)
    assert (said.code, re.sub('"id": "[^"]*"', '"id": ANY', said.out)) == (code, BEGINNING + out)
    assert err is None or said.err == err


@pytest.mark.parametrize("line", ["help stop", "? stop", "stop --help"])
def test_manuals(typed: Callable[..., Said], line: str) -> None:
    said = typed(line)
    assert "usage: circusctl stop" in said.out
    assert said.err == ""


def test_it_starts_without_a_daemon(
    circusctl: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("builtins.input", _keyboard(iter(())))
    said = circusctl("--timeout", "0.1", "--endpoint", f"ipc://{tmp_path}/none")
    assert said.code == 0
    assert "nothing listens at" in said.err


class Line:
    """What the line editor knows, as far as completion asks."""

    def __init__(self, line: str) -> None:
        self._line = line

    def get_line_buffer(self) -> str:
        """Return the whole line."""
        return self._line

    def get_endidx(self) -> int:
        """Return where the cursor is."""
        return len(self._line)


@pytest.mark.parametrize(
    ("line", "text", "found"),
    [
        ("stop we", "we", ["we\\ b ", "web "]),
        ("stop we\\ ", "", ["b "]),
        ("stop 'we", "'we", ["'we b' ", "'web' "]),
        ("stop 'we b", "b", ["b' "]),
        ('stop "we b', "b", ['b" ']),
        ("add x y --option numproc", "numproc", ["numprocesses="]),
        ("--json stop we", "we", ["we\\ b ", "web "]),
        ("exi", "exi", ["exit "]),
        ("comp", "comp", []),
        ("--js", "--js", []),
    ],
)
def test_the_tab_key(
    daemon: Callable[..., Answering],
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    text: str,
    found: list[str],
) -> None:
    settings = Settings()
    settings.endpoint = daemon(REPLIES).endpoint
    monkeypatch.setattr(shell_module, "readline", Line(line))
    shell = Shell(settings)
    assert [shell.complete(text, state) for state in range(len(found) + 1)] == [*found, None]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("numwatchers", "stop nope", "incr web"), 3),
        (("incr", "stop nope"), 3),
        (("stop nope", "nonsense"), 3),
        (("nonsense", "numwatchers"), 2),
        (("numwatchers", "incr web"), 0),
    ],
)
def test_lines_of_a_pipe_give_the_worst_exit_code(
    typed: Callable[..., Said], lines: tuple[str, ...], code: int
) -> None:
    assert typed(*lines).code == code


@pytest.mark.parametrize(
    ("word", "here"),
    [
        ("logs", "here it is tail NAME"),
        ("ps", "here it is status"),
        ("scale", "here it is set NAME numprocesses NUMBER; numprocesses tells it"),
        ("shutdown", "here it is quit"),
        ("update", "here it is reloadconfig"),
        ("delete", "here it is rm NAME"),
        ("pid", "here it is list NAME"),
        ("top", "that is a program of its own: circus-top"),
    ],
)
def test_words_of_other_tools(
    circusctl: Callable[..., Said], typed: Callable[..., Said], word: str, here: str
) -> None:
    sentence = f"unknown command: {word!r}; {here}"
    assert circusctl(word) == Said(2, "", f"circusctl: {sentence}\n")
    assert typed(f"{word} web").err == f"*** Unknown syntax: {word} web ({sentence})\n"
