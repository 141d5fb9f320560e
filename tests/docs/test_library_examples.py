"""The samples of docs/examples/library run as they are written, but with endpoints of their own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.programs import Control, Environment

SAMPLES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples" / "library"
HERE = Environment(Path(sys.prefix))
RUN = """
import runpy, sys
from cvec_circus_core.embed import arbiter
arbiter.ENDPOINT, arbiter.PUBSUB_ENDPOINT = sys.argv[2:]
runpy.run_path(sys.argv[1], run_name="__main__")
"""

pytestmark = pytest.mark.live


def command(sample: str, folder: Path) -> tuple[str, ...]:
    """Return the words that run a sample beside whatever listens at the default endpoints."""
    endpoints = (f"ipc://{folder}/control", f"ipc://{folder}/events")
    return ("-c", RUN, str(SAMPLES / sample), *endpoints)


@pytest.mark.parametrize(("sample", "count"), [("four_workers.py", 4), ("keywords.py", 3)])
def test_workers_run_until_they_are_told_to_stop(sample: str, count: int, tmp_path: Path) -> None:
    ask = Control(HERE, f"ipc://{tmp_path}/control")
    log = tmp_path / "log"
    with HERE.running("python", *command(sample, tmp_path), log=log) as program:
        ask.wait_for("active", "status", "sleep")
        assert len(ask.pids("sleep")) == count
        asked = HERE.run("python", str(SAMPLES / "client.py"), ask.endpoint)
        assert (asked.returncode, asked.stdout) == (0, "sleep active\n")
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=20) == 0, log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("several_watchers.py", "watchers: 2\nprocesses: 3\nprocesses: 4\n"),
        ("watcher_alone.py", "active 3\nactive 2\nstopped 0\n"),
        ("process_alone.py", "exit code: 0\nit said: worker 7\n"),
        ("inside_asyncio.py", "active 2\nactive 2\nstopped 0\n"),
    ],
)
def test_it_does_what_it_prints(sample: str, said: str, tmp_path: Path) -> None:
    done = HERE.run("python", *command(sample, tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_every_sample_is_run() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(sample.name in source for sample in SAMPLES.glob("*.py"))
