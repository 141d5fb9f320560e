"""A command from another distribution is a command like ours: installed, listed, explained, run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.programs import Control, Environment

pytestmark = pytest.mark.live

CONFIGURATION = """
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events

[watcher:sleeper]
cmd = sleep 300
numprocesses = 2

[watcher:other]
cmd = sleep 301
"""


@pytest.fixture(scope="module")
def control(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Control]:
    folder = tmp_path_factory.mktemp("daemon")
    configuration = folder / "circus.ini"
    configuration.write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    ask = Control(environment, f"ipc://{folder}/control")
    with environment.running("circusd", str(configuration), log=folder / "log") as daemon:
        ask.wait_for("active", "status", "other")
        ask.wait_for("active", "status", "sleeper")
        yield ask
        assert ask("quit", "--waiting")[0] == 0
        assert daemon.wait(timeout=20) == 0


def test_it_acts_in_the_daemon_and_shows_on_the_command_line(control: Control) -> None:
    code, out, err = control("uptime", "sleeper")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines] == [["sleeper", "1"], ["sleeper", "2"]]
    assert all(re.fullmatch(r"sleeper \d+ \d+: \d+\.\d seconds", line) for line in lines)


def test_its_argument_may_be_left_out(control: Control) -> None:
    code, out, _ = control("uptime")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()} == {"sleeper", "other"}


def test_its_switch_is_taken(control: Control) -> None:
    code, out, _ = control("uptime", "--unit", "hours", "other")
    assert code == 0
    assert out.rstrip().endswith(": 0.0 hours")


def test_several_names_are_a_request_each(control: Control) -> None:
    code, out, _ = control("uptime", "oth*", "sleeper")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["other", "sleeper", "sleeper"]


def test_its_arguments_are_completed(control: Control) -> None:
    line = f"circusctl --endpoint {control.endpoint} uptime"
    assert control("complete", f"{line} sle")[1] == "sleeper\n"
    assert control("complete", f"{line} --unit ")[1] == "hours\nminutes\nseconds\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("uptime", "nobody"), 3, "no watcher is named 'nobody'"),
        (("uptime", "--unit", "years"), 2, "years"),
        (("uptime", "sleeper", "nobody"), 3, "no watcher is named 'nobody'"),
        (("uptime", "--until", "sleeper"), 2, "--until"),
    ],
)
def test_its_mistakes_are_told(
    control: Control, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = control(*words)
    assert answer[0] == code
    assert said in answer[2]
    assert "Traceback" not in answer[2]


def test_it_is_listed_and_explained(control: Control) -> None:
    summary = "Tell how long the processes of a watcher have been running"
    assert summary in control("help")[1]
    code, manual, _ = control("help", "uptime")
    assert code == 0
    for words in (summary, "--unit", "what the numbers count", "seconds"):
        assert words in manual
