"""Info objects, compared with what psutil says of the same process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from cvec_circus_core.system import census, usage
from cvec_circus_core.system.accounts import identity, uid_of, user_name
from cvec_circus_core.system.census import GONE, Census, cpu_time_text, size_text
from cvec_circus_core.system.fakes import FakeClock
from cvec_circus_core.system.usage import Usage

pytestmark = pytest.mark.live

KEYS = {
    *("pid", "cmdline", "username", "nice", "cpu", "mem", "mem_info1", "mem_info2", "ctime"),
    *("children", "create_time", "age"),
}


@pytest.fixture
def family() -> Iterator[psutil.Process]:
    """A process that has worked, with two children."""
    script = "import subprocess; sum(range(3_000_000));" + (
        "ps = [subprocess.Popen(['sleep', '60']) for _ in 'ab']; print('ready', flush=True);"
        "ps[0].wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    process = psutil.Process(parent.pid)
    yield process
    for child in process.children():
        child.kill()
    parent.wait(10)
    parent.stdout.close()


@pytest.mark.parametrize("has_proc", [True, False], ids=["proc", "psutil"])
def test_it_says_what_psutil_says(
    family: psutil.Process, has_proc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_HAS_PROC", has_proc and usage._HAS_PROC)
    clock = FakeClock(wall=family.create_time() + 10)
    info = Census(clock).take([family.pid])[family.pid]
    assert isinstance(info, dict)
    assert set(info) == KEYS
    times = family.cpu_times()
    assert info["pid"] == family.pid
    assert info["cmdline"] == os.path.basename(sys.executable)
    assert info["username"] == family.username()
    assert info["nice"] == family.nice()
    assert info["cpu"] == 0.0
    assert info["mem"] == pytest.approx(family.memory_percent(), abs=0.02)
    assert info["mem_info2"] == size_text(family.memory_info().vms)
    assert info["ctime"] == cpu_time_text(times.user + times.system)
    assert info["create_time"] == pytest.approx(family.create_time(), abs=0.02)
    assert info["age"] == pytest.approx(10.0, abs=0.02)
    assert [child["cmdline"] for child in info["children"]] == ["sleep", "sleep"]
    assert {child["pid"] for child in info["children"]} == {p.pid for p in family.children()}
    assert [child["children"] for child in info["children"]] == [[], []]


def test_children_can_be_left_out(family: psutil.Process) -> None:
    info = Census(FakeClock()).take([family.pid], children=False)[family.pid]
    assert isinstance(info, dict)
    assert info["children"] == []


def test_the_gone_and_the_dead_are_told_so(family: psutil.Process) -> None:
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    infos = Census(FakeClock()).take([zombie.pid, 2**22 + 1])
    assert infos == {zombie.pid: GONE, 2**22 + 1: GONE}
    zombie.wait()


def used(seconds: float, created: float = 50.0) -> Usage:
    return Usage("worker", 0, 0, seconds, 4096, 8192, created)


def test_cpu_is_what_was_used_since_the_last_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    now: dict[str, Usage | None] = {}
    monkeypatch.setattr(census, "read_usage", lambda pid, booted_at: now["usage"])
    clock = FakeClock()
    looked = Census(clock)
    said = []
    # seconds that pass, CPU time used in all, start of the process
    for passed, total, created in [
        (0, 10.0, 50.0),  # the first sample knows nothing
        (2, 11.0, 50.0),
        (2, 11.0, 50.0),
        (0.05, 11.05, 50.0),  # too short to mean anything: as before
        (0.95, 14.0, 50.4),  # three threads; the machine's clock was corrected
        (1, 2.0, 99.0),  # another process has the number now
        (1, 2.5, 99.0),
    ]:
        clock.advance(passed)
        now["usage"] = used(total, created)
        info = looked.take([7], children=False)[7]
        assert isinstance(info, dict)
        said.append(info["cpu"])
    assert said == [0.0, 50.0, 0.0, 0.0, 300.0, 0.0, 50.0]


def test_what_may_not_be_read_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Usage(None, None, None, None, None, None, None)
    monkeypatch.setattr(census, "read_usage", lambda pid, booted_at: closed)
    info = Census(FakeClock()).take([7], children=False)[7]
    assert isinstance(info, dict)
    assert {key: value for key, value in info.items() if value != "N/A"} == {
        "pid": 7,
        "children": [],
    }


def test_samples_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "read_usage", lambda pid, booted_at: used(1.0))
    looked = Census(FakeClock(), remembered=10)
    looked.take(range(100), children=False)
    assert list(looked._samples) == list(range(90, 100))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (512, "512B"), (1024, "1.00K"), (1_468_006, "1.40M"), (3 * 2**40, "3.00T")],
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.00"), (1.25, "0:01.25"), (59.999, "1:00.00"), (3725.5, "62:05.50")],
)
def test_cpu_time_is_minutes_and_seconds(seconds: float, text: str) -> None:
    assert cpu_time_text(seconds) == text


def test_accounts() -> None:
    assert (uid_of("root"), uid_of("0"), uid_of(0)) == (0, 0, 0)
    assert user_name(0) == "root"
    assert user_name(54321) == "54321"
    assert identity(None, None) is None
    root = identity("root", None)
    assert root is not None
    assert (root.uid, root.gid) == (0, 0)
