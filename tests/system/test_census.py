"""Info objects, compared with what psutil says of the same process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from cvec_circus_core.system.accounts import identity, uid_of, user_name
from cvec_circus_core.system.fakes import FakeClock
from cvec_circus_core.system.stats.census import GONE, Census
from cvec_circus_core.system.stats.info_texts import cpu_time_text, size_text
from cvec_circus_core.system.stats.usage import Details, ProcTable, PsutilTable, Usage, told_early
from tests.live.daemon import until

pytestmark = pytest.mark.live

KEYS = {
    *("pid", "cmdline", "username", "nice", "cpu", "mem", "mem_info1", "mem_info2", "ctime"),
    *("children", "create_time", "age", "rss", "vms", "cpu_time", "threads", "fds", "state"),
    *("children_cpu", "children_rss"),
}

ASLEEP = ("sleep", "sleeping")


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
    # What has not loaded all of itself yet is another one at the next look.
    until(lambda: [(one.name(), one.status()) for one in process.children()] == [ASLEEP] * 2)
    yield process
    for child in process.children():
        child.kill()
    parent.wait(10)
    parent.stdout.close()


TABLES = [
    pytest.param(
        ProcTable,
        marks=pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc"),
    ),
    PsutilTable,
]


@pytest.mark.parametrize("table", TABLES)
def test_it_says_what_psutil_says(family: psutil.Process, table: type[ProcTable]) -> None:
    clock = FakeClock(wall=family.create_time() + told_early() + 10)
    info = Census(clock, table=table()).take([family.pid], pss=True)[family.pid]
    assert isinstance(info, dict)
    assert set(info) == {*KEYS, "pss"}
    times = family.cpu_times()
    assert info["pid"] == family.pid
    assert info["cmdline"] == os.path.basename(sys.executable)
    assert info["username"] == family.username()
    assert info["nice"] == family.nice()
    assert info["cpu"] == 0.0
    assert info["mem"] == pytest.approx(family.memory_percent(), abs=0.02)
    assert info["mem_info2"] == size_text(family.memory_info().vms)
    assert info["vms"] == family.memory_info().vms
    assert info["rss"] == pytest.approx(family.memory_info().rss, rel=0.05)
    assert info["pss"] == pytest.approx(family.memory_full_info().pss, rel=0.05)
    assert info["ctime"] == cpu_time_text(times.user + times.system)
    assert info["cpu_time"] == pytest.approx(times.user + times.system, abs=0.02)
    assert (info["threads"], info["fds"]) == (family.num_threads(), family.num_fds())
    assert info["state"] == family.status() == "sleeping"
    assert info["children_rss"] == pytest.approx(
        sum(child.memory_info().rss for child in family.children()), rel=0.3
    )
    assert info["create_time"] == pytest.approx(family.create_time(), abs=0.02)
    assert info["age"] == pytest.approx(10.0, abs=0.02)
    assert [child["cmdline"] for child in info["children"]] == ["sleep", "sleep"]
    assert {child["pid"] for child in info["children"]} == {p.pid for p in family.children()}
    assert [child["children"] for child in info["children"]] == [[], []]


@pytest.mark.parametrize("table", TABLES)
def test_the_age_counts_from_the_start_itself(table: type[ProcTable]) -> None:
    before = time.time()
    with subprocess.Popen(["sleep", "60"]) as process:
        after = time.time()
        info = Census(FakeClock(wall=after + 10), table=table()).take([process.pid])[process.pid]
        process.kill()
    assert isinstance(info, dict)
    assert 9.98 <= info["age"] <= 10.02 + after - before


def test_a_reading_has_the_children_only_as_sums(family: psutil.Process) -> None:
    (reading,) = Census(FakeClock()).read([family.pid, 2**22 + 1], pss=True).values()
    assert reading.told["pid"] == family.pid
    assert reading.told["pss"] > 0
    assert reading.children_rss > 0


def test_the_gone_and_the_dead_are_told_so(family: psutil.Process) -> None:
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    infos = Census(FakeClock()).take([zombie.pid, 2**22 + 1])
    assert infos == {zombie.pid: GONE, 2**22 + 1: GONE}
    zombie.wait()


class OneProcess:
    """A process table with one process, that is as the test says."""

    def __init__(self, usage: Usage) -> None:
        self.now = usage
        self.read: list[str] = []

    def pids(self) -> list[int]:
        self.read.append("all")
        return [7]

    def pulse(self, pid: int) -> float | None:
        self.read.append("pulse")
        return -1.0 if self.now.used is None else self.now.used

    def usage(self, pid: int) -> Usage | None:
        self.read.append("usage")
        return self.now

    def details(self, pid: int) -> Details:
        self.read.append("details")
        return Details("worker", 0)

    def descriptors(self, pid: int) -> int | None:
        self.read.append("descriptors")
        return 3

    def proportional(self, pid: int) -> int | None:
        return None


def used(seconds: float, created: float = 50.0) -> Usage:
    return Usage("worker", "sleeping", 1000, seconds, 0, 1, 4096, 8192, created)


def test_cpu_is_what_was_used_since_the_last_sample() -> None:
    table, clock = OneProcess(used(0.0)), FakeClock()
    looked = Census(clock, table=table)
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
        table.now = used(total, created)
        info = looked.take([7])[7]
        assert isinstance(info, dict)
        said.append(info["cpu"])
    assert said == [0.0, 50.0, 0.0, 0.0, 300.0, 0.0, 50.0]


def test_what_sleeps_is_not_read_again() -> None:
    table, clock = OneProcess(used(1.0, created=0.0)), FakeClock()
    looked = Census(clock, table=table)
    first = looked.read([7], kin_for=60)[7]
    assert table.read == ["all", "usage", "pulse", "details", "descriptors"]
    for _ in range(4):
        table.read.clear()
        clock.advance(1)
        again = looked.read([7], kin_for=60)[7]
        assert table.read == ["pulse"]
        assert again.told is first.told
    table.now = used(1.5, created=0.0)
    table.read.clear()
    changed = looked.read([7], kin_for=60)[7]
    assert table.read == ["pulse", "usage", "descriptors"]
    assert (changed.told["cpu_time"], first.told["cpu_time"]) == (1.5, 1.0)


def test_what_sleeps_long_is_looked_at_now_and_then() -> None:
    table, clock = OneProcess(used(1.0, created=0.0)), FakeClock()
    looked = Census(clock, table=table)
    first = looked.read([7], kin_for=600)[7]
    table.now = table.now._replace(resident=0, nice=10)
    clock.advance(6)
    told = looked.read([7], kin_for=600)[7].told
    assert (told["rss"], told["nice"]) == (0, 10)
    assert first.told["rss"] == 4096


def test_a_look_reads_each_process_once() -> None:
    table = OneProcess(used(1.0))
    Census(FakeClock(), table=table).take([7, 7])
    assert (table.read.count("usage"), table.read.count("pulse")) == (1, 1)


def test_what_may_not_be_read_is_marked() -> None:
    class Closed(OneProcess):
        def details(self, pid: int) -> Details:
            return Details()

        def descriptors(self, pid: int) -> int | None:
            return None

    info = Census(FakeClock(), table=Closed(Usage())).take([7], pss=True)[7]
    assert isinstance(info, dict)
    assert {key: value for key, value in info.items() if value != "N/A"} == {
        "pid": 7,
        "children": [],
        "children_cpu": 0.0,
        "children_rss": 0,
    }


def test_samples_do_not_pile_up() -> None:
    class Anybody(OneProcess):
        def pids(self) -> list[int]:
            return list(range(100))

    looked = Census(FakeClock(), remembered=10, table=Anybody(used(1.0)))
    for _ in range(3):
        looked.take(range(100))
        looked.take(range(5))
        assert len(looked._known) <= 15


def test_whoever_is_gone_is_forgotten() -> None:
    table = OneProcess(used(1.0))
    looked = Census(FakeClock(), table=table)
    looked.take([5, 6, 7])
    looked.take([7])
    assert list(looked._known) == [7]


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
