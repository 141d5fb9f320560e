"""Words of the command line and the requests that they become, command by command."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_cli.arguments import CommandLine, HelpWanted, UsageError
from cvec_circus_cli.command_lookup import find
from cvec_circus_core.api import REQUIRED, Command, Request, prop


def requests(line: str | list[str]) -> list[dict[str, Any]]:
    """Return the properties of every request that a line sends."""
    name, *words = line.split() if isinstance(line, str) else line
    command = find(name)
    return [command.compose(given) for given in CommandLine(command).read(words)]


@pytest.mark.parametrize(
    ("line", "properties"),
    [
        ("start", {}),
        ("start web", {"name": "web"}),
        ("start web --waiting", {"name": "web", "waiting": True}),
        ("start --wait web --match=simple", {"name": "web", "waiting": True, "match": "simple"}),
        ("stop -- -odd", {"name": "-odd"}),
        ("reload web --sequential", {"name": "web", "sequential": True}),
        ("reload --terminate web", {"name": "web", "graceful": False}),
        ("restart web --terminate", {"name": "web", "terminate": True}),
        ("rm web --nostop", {"name": "web", "nostop": True}),
        ("quit --waiting=no", {"waiting": False}),
        ("incr web", {"name": "web"}),
        ("decr web 3 --waiting", {"name": "web", "nb": 3, "waiting": True}),
        ("kill web", {"name": "web"}),
        (
            "kill web 12 --signum HUP --graceful-timeout 0.5",
            {"name": "web", "pid": 12, "signum": "HUP", "graceful_timeout": 0.5},
        ),
        ("signal web 9", {"name": "web", "signum": 9}),
        ("signal web 12 HUP", {"name": "web", "pid": 12, "signum": "HUP"}),
        ("signal web 12 13 1", {"name": "web", "pid": 12, "childpid": 13, "signum": 1}),
        (
            "signal --process 2 web --recursive --children RTMIN+1",
            {
                "name": "web",
                "process": 2,
                "recursive": True,
                "children": True,
                "signum": "RTMIN+1",
            },
        ),
        ("get web cmd uid", {"name": "web", "keys": ["cmd", "uid"]}),
        ("globaloptions", {}),
        ("globaloptions endpoint", {"option": "endpoint"}),
        ("stats web 12 --extended", {"name": "web", "process": 12, "extended": True}),
        ("stats 12", {"name": "12"}),
        ("env 12", {"name": "12"}),
        ("env web 12", {"name": "web", "process": 12}),
        ("env web 2", {"name": "web", "process": 2}),
        ("set web numprocesses 3", {"name": "web", "options": {"numprocesses": 3}}),
        (
            "set web max_retry -1 --waiting",
            {"name": "web", "options": {"max_retry": -1}, "waiting": True},
        ),
        (
            "set web shell yes graceful_timeout 2 stop_signal INT uid www",
            {
                "name": "web",
                "options": {"shell": True, "graceful_timeout": 2.0, "stop_signal": 2, "uid": "www"},
            },
        ),
        (
            "set web env A=1,B=2 flapping.window 3 rlimit_nofile 64 hooks.before_start a.b",
            {
                "name": "web",
                "options": {
                    "env": {"A": "1", "B": "2"},
                    "flapping.window": "3",
                    "rlimit_nofile": 64,
                    "hooks.before_start": "a.b",
                },
            },
        ),
        (["set", "web", "cmd", "prog -x"], {"name": "web", "options": {"cmd": "prog -x"}}),
        (["set", "web", "args", "-x 'a b'"], {"name": "web", "options": {"args": "-x 'a b'"}}),
        (
            ["set", "web", "stdout_stream", '{"class": "FileStream"}'],
            {"name": "web", "options": {"stdout_stream": {"class": "FileStream"}}},
        ),
        ("add web prog", {"name": "web", "cmd": "prog"}),
        ("add --start web prog -x --port 80", {"name": "web", "cmd": "prog -x --port 80",
                                               "start": True}),
        ("add web prog --start", {"name": "web", "cmd": "prog", "start": True}),
        ("add web prog -- --start", {"name": "web", "cmd": "prog --start"}),
        (["add", "web", "prog 'a b'"], {"name": "web", "cmd": "prog 'a b'"}),
        (["add", "web", "sh", "-c", "a b"], {"name": "web", "cmd": "sh -c 'a b'"}),
        (["add", "web", "echo", "$(circus.wid)"], {"name": "web", "cmd": "echo $(circus.wid)"}),
        (
            "add web prog --option numprocesses=2 --option=env=A=1 --waiting",
            {
                "name": "web",
                "cmd": "prog",
                "options": {"numprocesses": 2, "env": {"A": "1"}},
                "waiting": True,
            },
        ),
    ],
)  # fmt: skip
def test_one_request(line: str | list[str], properties: dict[str, Any]) -> None:
    assert requests(line) == [properties]


@pytest.mark.parametrize("line", ["-f -n 3", "-f -n3", "-fn3", "-fn 3", "-f -n=3", "-f --lines=3"])
def test_short_switches_may_stand_together(line: str) -> None:
    line_reader = CommandLine(find("tail"))
    arguments = {"name": "web", "lines": 3, "follow": True}
    assert line_reader.read([*line.split(), "web"]) == [arguments]
    assert line_reader.read(["web", *line.split()]) == [arguments]


def test_a_name_that_is_given_twice_is_one_request() -> None:
    assert requests("stop web db web") == [{"name": "web"}, {"name": "db"}]


@pytest.mark.parametrize("command", ["start", "stop", "restart", "reload", "rm", "status"])
def test_a_request_per_name(command: str) -> None:
    assert requests(f"{command} a b* c") == [{"name": "a"}, {"name": "b*"}, {"name": "c"}]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("kill", "NAME is missing"),
        ("rm", "NAME is missing"),
        ("signal web", "SIGNUM is missing"),
        ("add web", "CMD is missing"),
        ("get web", "KEY is missing"),
        ("set web", "KEY VALUE is missing"),
        ("set web numprocesses", "'numprocesses' has no value: give KEY VALUE pairs"),
        ("set web numprocesses many", "numprocesses isn't an integer: 'many'"),
        ("set web stdout_stream x", "stdout_stream isn't a JSON object: 'x'"),
        ("kill a 1 b", "'b' is one argument too many"),
        ("incr web two", "NB is a number, not 'two'"),
        ("kill web x", "PID is a number, not 'x'"),
        ("kill web --graceful_timeout soon", "--graceful_timeout is a number, not 'soon'"),
        ("kill web --signum", "--signum needs a value"),
        ("start --match magic", "--match is one of glob, simple, regex, not 'magic'"),
        ("start --waitng", "start has no switch --waitng"),
        ("start -w", "start has no switch -w"),
        ("tail -fx web", "tail has no switch -x"),
        ("tail -nx web", "-n is a number, not 'x'"),
        ("quit --waiting=maybe", "--waiting is yes or no, not 'maybe'"),
        ("add web prog --option x", "an option is given as KEY=VALUE, not 'x'"),
        ("add web prog --option umask=9", "umask isn't an octal number: '9'"),
    ],
)
def test_what_can_not_be_understood(line: str, sentence: str) -> None:
    with pytest.raises((UsageError, ValueError)) as raised:
        requests(line)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("line", ["start --help", "start web -h", "add --help", "add web -h"])
def test_help_is_asked_for(line: str) -> None:
    with pytest.raises(HelpWanted):
        requests(line)


def test_help_after_a_command_to_add_is_its_own() -> None:
    assert requests("add web prog --help") == [{"name": "web", "cmd": "prog --help"}]


class EveryKindRequest(Request):
    """One property of every kind that a command line can give."""

    text: str = prop(REQUIRED, "a text", positional=True)
    number: float | None = prop(None, "a number", positional=True)
    fast: bool = prop(False, "a truth")
    pairs: dict[str, str] = prop({}, "pairs")
    words: list[str] = prop((), "words")
    secret: int = prop(0, "for the wire only", hidden=True)


class EveryKind(Command):
    """A command that takes everything."""

    name = "every"
    request = EveryKindRequest


def test_a_command_of_others_has_all_kinds_too() -> None:
    line = CommandLine(EveryKind())
    words = ["--pairs", "a=1", "x", "2.5", "--pairs=b=2", "--words", "u", "--words", "v", "--fast"]
    assert line.read(words) == [
        {
            "text": "x",
            "number": 2.5,
            "fast": True,
            "pairs": {"a": "1", "b": "2"},
            "words": ["u", "v"],
        }
    ]
    assert line.usage() == (
        "circusctl every [--fast] [--pairs PAIRS] [--words WORDS] TEXT [NUMBER]"
    )
    with pytest.raises(UsageError, match="every has no switch --secret"):
        line.read(["x", "--secret", "1"])
    with pytest.raises(UsageError, match="--pairs takes KEY=VALUE, not 'a'"):
        line.read(["x", "--pairs", "a"])


def test_annotations_need_not_be_texts() -> None:
    class Real(Request):
        count: Any = prop(1, "a number", positional=True)

    Real.__annotations__ = {"count": int}
    command = EveryKind()
    command.command_line = Real  # type: ignore[misc]
    assert CommandLine(command).read(["3"]) == [{"count": 3}]
    Real.__annotations__ = {"count": int | None}
    assert CommandLine(command).read(["3"]) == [{"count": 3}]
