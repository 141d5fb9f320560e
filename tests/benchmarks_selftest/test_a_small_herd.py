"""The benchmarks' own machinery with three processes under the smallest peer."""

import os
import struct
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from tests.benchmarks import command, herd
from tests.benchmarks.peers import PEERS, Job, Missing, Place
from tests.benchmarks.peers.bare import Bare
from tests.benchmarks.starts import Start, Starts, TooSlow, build_worker
from tests.benchmarks.yard import PeerFailed

NOWHERE = Place(Path("/nonexistent"), Path("/nonexistent"))
ROOT = Path(__file__).resolve().parents[2]
MARK = "HERD_TEST_MARK"


@pytest.fixture
def quick(monkeypatch):
    """No pauses: three workers are calm at once."""
    monkeypatch.setattr(herd, "SETTLE", 0.0)


@pytest.fixture
def left_behind(monkeypatch):
    """Tell what descends from the herd of this test; other tests have processes of their own."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    return lambda: [
        one.pid
        for one in psutil.process_iter(["environ"])
        if (one.info["environ"] or {}).get(MARK) == mark
    ]


class Broken(Bare):
    """A peer that ends at once, with a word."""

    def command(self, job):
        return [sys.executable, "-c", "raise SystemExit('no such option')"]


class Lazy(Bare):
    """A peer that starts one process too few."""

    def command(self, job):
        return super().command(Job(job.folder, job.worker, job.total - 1))


def ignore(text):
    """Progress is not looked at here."""


def test_starts_are_told_oldest_first_and_kept_as_alive(tmp_path):
    with Starts(tmp_path / "starts") as starts:
        fd = os.open(tmp_path / "starts", os.O_WRONLY)
        os.write(fd, struct.pack("=qqqq", 7, 200, 8, 100))
        assert starts.wait(2, 5.0, lambda: None) == [Start(8, 100), Start(7, 200)]
        starts.forget({8})
        assert starts.alive == {7}
        os.close(fd)
        starts.wait_all_gone(5.0)
        assert starts.alive == set()


def test_waiting_for_starts_has_an_end(tmp_path):
    with Starts(tmp_path / "starts") as starts, pytest.raises(TooSlow, match="0 of 1"):
        starts.wait(1, 0.01, lambda: None)


@pytest.mark.live
def test_a_whole_life_is_measured_and_leaves_nothing(quick, tmp_path, left_behind):
    trial = herd.Trial(build_worker(tmp_path), 3, idle=0.05, kills=3, limit=20)
    values = herd.live(Bare(NOWHERE), trial, ignore)
    assert set(values) == {
        "start", "first", "idle_cpu", "memory", "replacement_p50", "replacement_p95",
        "all_back", "stop", "gone",
    }  # fmt: skip
    assert 0 < values["first"] <= values["start"] < 20
    assert values["memory"] > 1
    assert not left_behind()


@pytest.mark.live
@pytest.mark.parametrize(
    ("peer", "problem", "words"),
    [(Broken, PeerFailed, "code 1: no such option"), (Lazy, TooSlow, "2 of 3")],
)
def test_a_peer_that_fails_is_told_and_cleaned_up(
    quick, tmp_path, left_behind, peer, problem, words
):
    trial = herd.Trial(build_worker(tmp_path), 3, limit=0.5)
    with pytest.raises(problem, match=words):
        herd.live(peer(NOWHERE), trial, ignore)
    assert not left_behind()


@pytest.mark.live
def test_a_peer_without_its_programs_is_left_out(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    for name in ("runit", "s6", "ours"):
        with pytest.raises(Missing):
            PEERS[name](NOWHERE).find()


@pytest.mark.parametrize("words", [["-m", "tests.benchmarks"], ["tests/benchmarks"]])
def test_the_command_explains_itself(words):
    done = subprocess.run(
        [sys.executable, *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for word in (*PEERS, *command.SUITES, "apt-get install runit s6"):
        assert word in done.stdout
