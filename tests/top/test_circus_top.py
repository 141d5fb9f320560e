"""circus-top where no terminal is: what it prints, how it ends, what it asks to be installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cvec_circus_cli import circus_top
from tests.cli.answering import Answering, canned
from tests.cli.conftest import Said
from tests.live.daemon import free_port
from tests.top.publishing import Publishing, World, process

WORLD = World(
    {
        "web": [process(11, 9.0, wid=1, requests=17), process(12, 80.0, wid=2)],
        "some db": [process(21, 30.0, wid=1, cmdline="postgres", mem=6.5)],
    },
    [{"fd": 7, "subtopic": 7, "reads": 4, "address": "127.0.0.1:80"}],
)
Run = Callable[..., Said]


@pytest.fixture(scope="module")
def stats() -> Iterator[str]:
    """Return an endpoint where the world is told."""
    with Publishing(WORLD, every=0.1) as publishing:
        yield publishing.endpoint


@pytest.fixture
def top(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stats: str) -> Run:
    """Return a call that runs circus-top on that endpoint."""
    monkeypatch.setenv("CIRCUSCTL_ENDPOINT", "ipc:///no/such/daemon")

    def top(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = circus_top.main(("--endpoint", stats, *words))
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return top


def rows(out: str) -> list[list[str]]:
    """Return the words of each line after the summary."""
    return [line.split() for line in out.splitlines()[1:]]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["web", "2 sleep", "1 sleep", "some db", "1 postgres"]),
        (("--sort", "memory"), ["some db", "1 postgres", "web", "1 sleep", "2 sleep"]),
        (("--sort", "name"), ["some db", "1 postgres", "web", "1 sleep", "2 sleep"]),
        (("--sort", "name", "--reverse"), ["web", "2 sleep", "1 sleep", "some db", "1 postgres"]),
        (("--filter", "DB"), ["some db", "1 postgres"]),
        (("--filter", "12"), ["web", "2 sleep"]),
        (("--filter", "nobody"), []),
    ],
)
def test_once(top: Run, words: tuple[str, ...], names: list[str]) -> None:
    said = top("--once", *words)
    assert (said.code, said.err) == (0, "")
    summary, title, *lines = said.out.splitlines()
    assert summary.startswith("circus-top 20")
    assert "watchers 2 processes 3 cpu 119.0% mem 6.5%" in summary
    assert title.split() == [
        *("WATCHER", "/", "PROCESS", "PID", "USER", "STATE", "NI", "THR", "FDS", "CPU%", "MEM%"),
        *("RSS", "VIRT", "PSS", "CHLD%", "CHLDRSS", "AGE", "TIME", "REQUESTS"),
    ]
    assert [line[:20].split("  ")[0 if line[0] != " " else 1].strip() for line in lines] == names


def test_a_line_has_the_numbers(top: Run) -> None:
    (line,) = [line for line in top("--once").out.splitlines() if " 11 " in line]
    assert line.split() == [
        *("1", "sleep", "11", "root", "-", "0", "-", "-", "9.0", "0.0", "1.4M", "2.4M"),
        *("-", "-", "-", "36s", "0:00.00", "17"),
    ]


def test_sockets_once(top: Run) -> None:
    assert rows(top("--once", "--sockets").out) == [
        ["ADDRESS", "FD", "NAME", "CONNS", "READS", "QUEUED", "BACKLOG"],
        ["127.0.0.1:80", "7", "-", "-", "4", "-", "-"],
    ]


def test_json_is_one_object_a_line(top: Run, stats: str) -> None:
    said = top("--json", "--count", "2", "-d", "0.1", "--sort", "memory")
    first, second = map(json.loads, said.out.splitlines())
    assert second["time"] > first["time"]
    assert (first["endpoint"], first["cpu"], first["memory"]) == (stats, 119.0, 6.512)
    assert [one["name"] for one in first["watchers"]] == ["some db", "web"]
    web = first["watchers"][1]
    assert (web["cpu"], web["cpu_mean"], web["state"]) == (89.0, 44.5, None)
    assert [(one["pid"], one["wid"], one["cpu"]) for one in web["processes"]] == [
        *((11, 1, 9.0), (12, 2, 80.0)),
    ]
    assert web["processes"][0]["extra"] == {"requests": 17.0}
    assert [(one["fd"], one["reads"]) for one in first["sockets"]] == [(7, 4.0)]


def test_batch_goes_on_and_a_pipe_is_batch(top: Run) -> None:
    for words in (("--batch",), ()):
        said = top(*words, "-n", "3", "-d", "0.1")
        assert said.out.count("circus-top 20") == 3
        assert said.out.count("\n\n") == 2
        assert "\x1b" not in said.out


def test_states_come_from_the_control_endpoint(top: Run, stats: str) -> None:
    details = {
        "Some DB": {"state": "active", "running": 1, "wanted": 2, "restarts": 4},
        "off": {"state": "stopped", "running": 0, "wanted": 1, "restarts": 0},
    }
    answers: Mapping[str, Mapping[str, object]] = {"status": {"details": details}}
    with Answering(canned(answers)) as daemon:
        said = top("--json", "--once", "--control", daemon.endpoint)
    found = {load["name"]: load for load in json.loads(said.out)["watchers"]}
    assert (found["off"]["state"], found["off"]["processes"]) == ("stopped", [])
    assert found["web"]["state"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sort", "beauty"), "argument --sort: invalid choice: 'beauty'"),
        (("-d", "0"), "argument -d/--interval: seconds are a number from 0.1 to 3600, not '0'"),
        (("-d", "soon"), "argument -d/--interval: invalid number of seconds value: 'soon'"),
        (("-n", "0"), "argument -n/--count: a count is 1 or more, not '0'"),
        (("-n", "x"), "argument -n/--count: invalid count value: 'x'"),
        (("--colour",), "unrecognized arguments: --colour"),
    ],
)
def test_wrong_use(top: Run, words: tuple[str, ...], said: str) -> None:
    ended = top(*words)
    assert ended.code == 2
    assert said in ended.err


def test_nothing_there(top: Run) -> None:
    nobody = f"tcp://127.0.0.1:{free_port()}"
    ended = top("--endpoint", nobody, "--once", "--timeout", "0.3")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"circus-top: nothing listens at {nobody}: is the daemon running, and is stats_endpoint "
        "set?\n"
    )


def test_somebody_there_who_tells_nothing(top: Run) -> None:
    with Publishing(World(), every=0.1) as silent:
        ended = top("--endpoint", silent.endpoint, "--once", "--timeout", "0.5")
    assert ended.code == 1
    assert ended.err.startswith(
        f"circus-top: no statistics came from {silent.endpoint} in 0.5 s, see --timeout"
    )


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cvec_circus_cli.circus_top", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def without_textual(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which textual can not be had."""
    hidden = "import sys\nsys.modules['textual'] = None\nsys.modules['rich'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hidden, encoding="utf-8")
    return {"PYTHONPATH": str(tmp_path)}


def test_lines_need_no_extra(without_textual: dict[str, str], stats: str) -> None:
    done = run("--endpoint", stats, "--once", **without_textual)
    assert (done.returncode, done.stderr) == (0, "")
    assert "some db" in done.stdout


def test_the_console_says_what_to_install(without_textual: dict[str, str], stats: str) -> None:
    done = run("--endpoint", stats, "--screenshot", "x.svg", **without_textual)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "circus-top: the live console needs the package textual: pip install 'cvec-circus[tui]'; "
        "circus-top --once and --batch work without it\n"
    )


def test_nobody_reads_on(stats: str) -> None:
    command = f"{sys.executable} -m cvec_circus_cli.circus_top --endpoint {stats} --batch -d 0.1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("circus-top 20")


def test_a_screenshot_needs_no_terminal(stats: str, tmp_path: Path) -> None:
    file = tmp_path / "top.svg"
    done = run("--endpoint", stats, "--screenshot", str(file), COLUMNS="90", LINES="20")
    assert (done.returncode, done.stderr) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "postgres" in text
