"""Real workers, a real daemon, real files: every line once, in order, whatever happens."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import LIMIT, Daemon, until
from tests.streams import chatter as chatter_module

pytestmark = pytest.mark.live

Start = Callable[..., Daemon]

WORKERS = 5
LINES = 20_000

_LINE = re.compile(rb"(\w+) (\d+) (\d+)\.*$")


def chatter(*words: object) -> str:
    """Return the command line of a worker."""
    return " ".join([sys.executable, "-S", chatter_module.__file__, *map(str, words)])


def contents(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the contents of a file and of its backups."""
    for one in sorted(folder.glob(f"{name}*")):
        data = one.read_bytes()
        yield gzip.decompress(data) if one.suffix == ".gz" else data


def runs(folder: Path, name: str) -> dict[int, list[int]]:
    """Return the numbers that each process wrote, one file after another."""
    found: dict[int, list[int]] = defaultdict(list)
    for line in b"".join(contents(folder, name)).splitlines():
        match = _LINE.search(line)
        assert match, line
        found[int(match[2])].append(int(match[3]))
    return found


def all_there(folder: Path, name: str, workers: int, lines: int) -> bool:
    """Tell whether so many processes have written all their lines; fail for one too many."""
    found = runs(folder, name)
    assert all(len(numbers) <= lines for numbers in found.values())
    return len(found) == workers and all(len(one) == lines for one in found.values())


CLASSES = {
    "small files": "stdout_stream.max_bytes = 100000\nstdout_stream.backup_count = 999\n",
    "custom": "stdout_stream.class = tests.streams.test_live.Copy\n",
}
"""Beside those of test_exactly_once.py."""


class Copy:
    """A stream class of somebody else's, which is slow now and then."""

    def __init__(self, filename: str, **_: object) -> None:
        self.file = open(filename, "ab")  # noqa: SIM115 – closed by close()
        self.count = 0

    def __call__(self, data: dict[str, bytes]) -> None:
        self.count += 1
        if not self.count % 50:
            time.sleep(0.02)
        self.file.write(data["data"])

    def close(self) -> None:
        """Close the file."""
        self.file.close()


@pytest.mark.parametrize("options", CLASSES.values(), ids=CLASSES.keys())
def test_workers_that_end_at_once_lose_no_line(start: Start, tmp_path: Path, options: str) -> None:
    file = tmp_path / "out.log"
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', LINES, 60)}\nnumprocesses = {WORKERS}\n"
        f"respawn = no\nstdout_stream.filename = {file}\n{options}",
        circus="",
    )
    until(lambda: daemon.status("w")["status"] == "stopped")
    assert daemon.stop() == 0
    assert all_there(tmp_path, "out.log", WORKERS, LINES)
    found = runs(tmp_path, "out.log")
    if options == CLASSES["custom"]:
        assert all(numbers == list(range(LINES)) for numbers in found.values())
    assert all(sorted(numbers) == list(range(LINES)) for numbers in found.values())
    sizes = [one.stat().st_size for one in tmp_path.glob("out.log*")]
    if options == CLASSES["small files"]:
        assert max(sizes) < 100_000
        assert len(sizes) > 50


def test_the_last_words_of_a_crash(start: Start, tmp_path: Path) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 1000, 0, 'crash')}\nrespawn = no\nnumprocesses = 3\n"
        f"rlimit_core = 0\nstdout_stream.filename = {tmp_path}/out.log\n"
    )
    until(lambda: daemon.status("w")["status"] == "stopped")
    until(lambda: (tmp_path / "out.log").read_bytes().count(b"last words") == 3)
    assert (tmp_path / "out.log").read_bytes().count(b"\n") == 3000
    said = daemon.control("tail", "-n", "2", "w")
    assert said.returncode == 0
    words = [line for line in said.stdout.split("\n") if line.endswith("last words")]
    assert sorted(words) == [f"w:{wid} | last words" for wid in (1, 2, 3)]


@pytest.mark.parametrize(
    "what",
    [
        ("restart",),
        ("reload",),
        ("reload", "sequential"),
        ("kill",),
        ("stop", "start"),
        ("set",),
    ],
    ids=" ".join,
)
def test_nothing_is_lost_while_workers_are_replaced(
    start: Start, tmp_path: Path, what: tuple[str, ...]
) -> None:
    """Every process writes 2 000 lines at its start and stays; each is replaced several times."""
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 2000, 90, 'stay')}\nnumprocesses = 3\n"
        f"stdout_stream.filename = {tmp_path}/out.log\n"
        "graceful_timeout = 5\n"
    )
    pids = set(daemon.until_active("w", 3))

    def complete() -> bool:
        return all_there(tmp_path, "out.log", len(pids), 2000)

    for done in range(3):
        until(complete)
        for command in what:
            if command == "set":
                name = f"{tmp_path}/out.log.{done}"
                daemon.ok("set", name="w", waiting=True, options={"stdout_stream.filename": name})
                daemon.ok("kill", name="w", waiting=True)
            elif command != "sequential":
                more = {"sequential": True} if "sequential" in what else {}
                daemon.ok(command, name="w", waiting=True, **more)
        pids |= set(daemon.until_active("w", 3))
    until(complete)
    assert len(pids) == 12
    assert all(run == list(range(2000)) for run in runs(tmp_path, "out.log").values())


def test_logrotate_and_reopen_while_workers_write(start: Start, tmp_path: Path) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 5 * LINES, 0, 'flush')}\nnumprocesses = 2\n"
        f"stdout_stream.filename = {tmp_path}/out.log\n"
    )
    file = tmp_path / "out.log"
    for number, how in enumerate(("command", "SIGUSR1", "command")):
        until(lambda: file.exists() and file.stat().st_size > 1000)
        file.rename(tmp_path / f"out.log.{number}")
        if how == "command":
            assert daemon.ok("reopen", name="w")["reopened"] == ["w"]
        else:
            daemon.process.send_signal(signal.SIGUSR1)
        until(file.exists)
    until(lambda: all_there(tmp_path, "out.log", 2, 5 * LINES))
    order = sorted(tmp_path.iterdir(), key=lambda one: one.name + "~" * (one == file))
    text = b"".join(one.read_bytes() for one in order)
    for pid in daemon.pids("w"):
        numbers = [int(one) for one in re.findall(rb"x %d (\d+)" % pid, text)]
        assert numbers == list(range(5 * LINES))


def test_a_stream_can_be_given_and_taken_while_it_runs(start: Start, tmp_path: Path) -> None:
    daemon = start(f"[watcher:w]\ncmd = {chatter('x', 10, 0, 'flush')}\n")
    daemon.until_active("w", 1)
    first = f"{tmp_path}/first"
    daemon.ok("set", name="w", waiting=True, options={"stdout_stream.filename": first})
    until(lambda: all_there(tmp_path, "first", 1, 10))
    number, reason = daemon.refused(
        "set", name="w", options={"stdout_stream.filename": f"{tmp_path}/no/where"}
    )
    assert "can not be opened: no such file" in reason
    assert daemon.ok("get", name="w", keys=["stdout_stream.filename"])["options"] == {
        "stdout_stream.filename": first
    }
    number, reason = daemon.refused("set", name="w", options={"stdout_stream.max_byte": 3})
    assert (number, reason) == (3, "'stdout_stream.max_byte' is no option of FileStream")
    daemon.ok("set", name="w", waiting=True, options={"stdout_stream": None})
    until(lambda: len(daemon.pids("w")) == 1)
    assert all_there(tmp_path, "first", 1, 10)


def test_a_sink_that_hangs_hurts_only_its_own_processes(start: Start, tmp_path: Path) -> None:
    daemon = start(
        f"[watcher:stuck]\ncmd = {chatter('x', 10**7, 100)}\nnumprocesses = 3\n"
        "stdout_stream.class = tests.streams.test_live.Stuck\n"
        f"[watcher:well]\ncmd = {chatter('x', LINES, 60)}\nrespawn = no\n"
        f"stdout_stream.filename = {tmp_path}/out.log\n"
    )
    until(lambda: all_there(tmp_path, "out.log", 1, LINES))
    before = daemon.rss()
    pid = daemon.pids("stuck")[0]

    def is_blocked() -> bool:
        return Path(f"/proc/{pid}/wchan").read_text().startswith(("pipe", "anon_pipe")) or (
            psutil.Process(pid).status() == psutil.STATUS_SLEEPING
        )

    until(is_blocked)
    used = psutil.Process(daemon.main_pid).cpu_times()
    began = time.monotonic()
    for _ in range(100):
        daemon.ok("status")
    assert time.monotonic() - began < 20
    assert daemon.rss() - before < 30_000_000
    after = psutil.Process(daemon.main_pid).cpu_times()
    assert after.user + after.system - used.user - used.system < 1.0
    assert daemon.stop() == 0
    assert daemon.said("stdout_stream of stuck did not take its last")


class Stuck:
    """A stream that never comes back."""

    def __call__(self, data: object) -> None:
        time.sleep(1000)


def test_a_sink_that_raises_does_not_stop_the_reading(start: Start) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', LINES, 60)}\nrespawn = no\n"
        "stdout_stream.class = tests.streams.test_live.Angry\n"
    )
    until(lambda: daemon.status("w")["status"] == "stopped")
    assert daemon.text().count("stdout_stream of w failed") == 1


class Angry:
    """A stream that always raises."""

    def __call__(self, data: object) -> None:
        raise RuntimeError("no")


def test_a_closed_pipe_costs_nothing(start: Start, tmp_path: Path) -> None:
    body = "import os, time; os.write(1, b'x 1 0\\n'); os.close(1); time.sleep(1000)"
    (tmp_path / "closing.py").write_text(body)
    daemon = start(
        f"[watcher:w]\ncmd = {sys.executable} -S {tmp_path}/closing.py\nnumprocesses = 3\n"
        f"stdout_stream.filename = {tmp_path}/out.log\n"
    )
    until(lambda: runs(tmp_path, "out.log") == {1: [0, 0, 0]})
    process = psutil.Process(daemon.main_pid)
    before = process.cpu_times()
    time.sleep(1.0)
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.2


def test_a_grandchild_that_went_its_own_way_holds_nobody_up(start: Start, tmp_path: Path) -> None:
    daemon = start(
        "[watcher:w]\ncmd = sh -c 'echo x 1 0; setsid sleep 1000 & echo x 1 1; exit 0'\n"
        f"respawn = no\nstdout_stream.filename = {tmp_path}/out.log\n"
    )
    until(lambda: daemon.status("w")["status"] == "stopped")
    assert daemon.stop() == 0
    assert runs(tmp_path, "out.log") == {1: [0, 1]}
    daemon.adrift |= set(daemon.alive())


def descriptors(pid: int, folder: Path) -> Counter[str]:
    """Count what a daemon needs of its processes: pidfds, pipes, and files in a folder."""
    kinds: Counter[str] = Counter()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            where = os.readlink(entry.path)
        except FileNotFoundError:
            continue
        kinds["pidfd"] += where == "anon_inode:[pidfd]"
        kinds["pipe"] += where.startswith("pipe:")
        kinds["file"] += where.startswith(f"{folder}/")
    return kinds


def test_descriptors_do_not_pile_up(start: Start, tmp_path: Path) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = {chatter('x', 3, 0, 'stay')}\n"
        f"numprocesses = 4\nstdout_stream.filename = {tmp_path}/out\n"
        f"stderr_stream.class = JsonStream\nstderr_stream.filename = {tmp_path}/err\n"
    )
    daemon.until_active("w", 4)

    def held() -> Counter[str]:
        return sum((descriptors(pid, tmp_path) for pid in daemon.own_pids()), Counter())

    # Whatever else it has, sockets of plugins for one, comes and goes for other reasons.
    before = held()
    # A keeper watches the daemon as well, and pipes are held by both.
    own = len(daemon.own_pids())
    assert before["pidfd"] == 4 + own - 1
    assert before["file"] == 2
    for _ in range(5):
        daemon.ok("restart", name="w", waiting=True)
    until(lambda: held() == before)
    daemon.ok("stop", name="w", waiting=True)
    most = Counter(pidfd=own - 1, pipe=before["pipe"] - 8 * min(own, 2))
    until(lambda: held() <= most)


def test_both_channels_side_by_side(start: Start, tmp_path: Path) -> None:
    daemon = start(
        "[watcher:w]\ncmd = sh -c 'echo out; echo err >&2; exec sleep 1000'\n"
        f"stdout_stream.filename = {tmp_path}/both\nstderr_stream.filename = {tmp_path}/both\n"
        "[watcher:j]\ncmd = sh -c 'echo out; echo err >&2; exec sleep 1000'\n"
        f"stdout_stream.class = StdoutStream\nstderr_stream.class = JsonStream\n"
        f"stderr_stream.filename = {tmp_path}/json\n"
    )
    both, lines = tmp_path / "both", tmp_path / "json"
    until(lambda: both.exists() and sorted(both.read_text().split()) == ["err", "out"])
    until(lambda: lines.exists() and lines.stat().st_size > 0)
    assert json.loads(lines.read_text())["line"] == "err"
    until(lambda: daemon.said("\nout\n"))


def test_mistakes_are_told_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "circus.ini"
    file.write_text(
        "[watcher:w]\ncmd = true\nstdout_stream.class = FileSteam\n"
        "stderr_stream.filename = x\nstderr_stream.max_byte = 3\n"
    )
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "circusd", str(file)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 1
    assert "circus.ini:3: [watcher:w] stdout_stream.class = FileSteam: names no" in done.stderr
    assert "circus.ini:5: [watcher:w] stderr_stream.max_byte = 3: is no option" in done.stderr


def test_a_file_that_can_not_be_opened_stops_its_watcher_alone(
    start: Start, tmp_path: Path
) -> None:
    daemon = start(
        f"[watcher:w]\ncmd = sleep 1000\nmax_retry = 2\nstdout_stream.filename = {tmp_path}/no/x\n"
        "[watcher:other]\ncmd = sleep 1000\n"
    )
    daemon.until_active("other", 1)
    until(lambda: daemon.status("w")["status"] == "stopped")
    assert daemon.said(f"{tmp_path}/no/x can not be opened: no such file or directory")


def test_the_example_of_the_reference(tmp_path: Path) -> None:
    examples = Path(__file__).parent.parent.parent / "docs" / "examples" / "streams"
    daemon = Daemon(
        "[watcher:w]\ncmd = sh -c 'echo hello; exec sleep 1000'\n"
        "stdout_stream.class = shouting.Shout\nstdout_stream.mark = !\n"
    )
    try:
        daemon.start(PYTHONPATH=str(examples))
        until(lambda: daemon.said("\nHELLO!\n"))
        daemon.account()
    finally:
        daemon.clean_up()
        shutil.rmtree(daemon.folder)


def test_reloadconfig_leads_the_output_elsewhere(start: Start, tmp_path: Path) -> None:
    body = f"[watcher:w]\ncmd = {chatter('x', 10, 0, 'stay')}\n"
    daemon = start(f"{body}stdout_stream.filename = {tmp_path}/one\n")
    until(lambda: all_there(tmp_path, "one", 1, 10))
    pids = daemon.pids("w")
    daemon.write(f"{body}stdout_stream.filename = {tmp_path}/two\n")
    daemon.ok("reloadconfig", waiting=True)
    assert daemon.pids("w") == pids
    daemon.ok("restart", name="w", waiting=True)
    until(lambda: all_there(tmp_path, "two", 1, 10))
    daemon.write(f"{body}stdout_stream.filename = {tmp_path}/no/where\n")
    assert "can not be opened" in daemon.refused("reloadconfig", waiting=True)[1]
    daemon.write(f"{body}stdout_stream.nonsense = x\nstdout_stream.filename = x\n")
    assert "is no option of FileStream" in daemon.refused("reloadconfig")[1]


def own_address() -> str:
    """Return an address of this machine by which others reach it."""
    found = [one.address for all_ in psutil.net_if_addrs().values() for one in all_]
    far = [one for one in found if re.fullmatch(r"[\d.]+", one) and not one.startswith("127.")]
    if not far:
        pytest.skip("this machine has no address for others")
    return far[0]


class TestTail:
    """circusctl tail, once and for ever."""

    def test_shows_the_last_lines_of_one_or_all(self, start: Start, tmp_path: Path) -> None:
        daemon = start(
            f"[watcher:w]\ncmd = {chatter('x', 30, 0, 'stay')}\n"
            f"numprocesses = 2\nstdout_stream.filename = {tmp_path}/out\n"
        )
        until(lambda: all_there(tmp_path, "out", 2, 30))
        one, two = daemon.pids("w")
        assert daemon.control("tail", "-n", "2", "w:1").stdout == f"x {one} 28\nx {one} 29\n"
        assert daemon.control("tail", "-n", "1", "w").stdout == (
            f"w:1 | x {one} 29\nw:2 | x {two} 29\n"
        ) or daemon.control("tail", "-n", "1", "w").stdout == (
            f"w:2 | x {two} 29\nw:1 | x {one} 29\n"
        )
        daemon.ok("add", name="off", cmd="sleep 1000", start=True, options={"keep_output": 0})
        refused = daemon.control("tail", "--stderr", "off")
        assert (refused.returncode, refused.stdout) == (3, "")
        assert (
            "'off' has no stderr_stream, and keep_output = 0: its output does not pass the daemon"
            in refused.stderr
        )

    @pytest.mark.parametrize("how", ["ipc", "tcp", "another address"])
    def test_follows_every_line_once_over_a_restart(
        self, start: Start, tmp_path: Path, how: str
    ) -> None:
        daemon = start(
            f"[watcher:w]\ncmd = {chatter('x', 300, 0, 'flush')}\n"
            f"stdout_stream.filename = {tmp_path}/out\n",
            circus="insecure = True" if how == "another address" else "",
            tcp=how != "ipc",
            host="0.0.0.0" if how == "another address" else "127.0.0.1",
        )
        endpoint = daemon.endpoint
        if how == "another address":
            endpoint = endpoint.replace("0.0.0.0", own_address())
        until(lambda: all_there(tmp_path, "out", 1, 300))
        pids = daemon.pids("w")
        with (tmp_path / "said").open("wb") as said:
            follower = subprocess.Popen(
                [
                    *(Path(sys.prefix) / "bin" / "circusctl", "--endpoint", endpoint),
                    *("tail", "-f", "-n", "5", "w:1"),
                ],
                stdout=said,
            )
        try:
            until(lambda: (tmp_path / "said").read_text().count("\n") == 5)
            for _ in range(3):
                daemon.ok("restart", name="w", waiting=True)
                pids += daemon.until_active("w", 1)
                until(partial(all_there, tmp_path, "out", len(pids), 300))
            text = ""

            def is_told() -> bool:
                nonlocal text
                text = (tmp_path / "said").read_text()
                return text.count("\nx ") + text.startswith("x ") == 905

            until(is_told)
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.wait(10) == 0
        for pid, first in zip(pids, (295, 0, 0, 0), strict=True):
            numbers = [int(one) for one in re.findall(rf"x {pid} (\d+)", text)]
            assert numbers == list(range(first, 300))

    def test_needs_no_set_up_and_follows_several_over_restarts(
        self, start: Start, tmp_path: Path
    ) -> None:
        talk = "sh -c 'echo one; echo two >&2; echo $$; exec sleep 1000'"
        daemon = start("".join(f"[watcher:{name}]\ncmd = {talk}\n" for name in ("web1", "web2")))
        until(lambda: daemon.control("tail", "web*").stdout.count("\n") == 6)
        pids = daemon.pids("web1")
        shown = daemon.control("tail", "web1").stdout
        assert sorted(shown.split("\n")[:-1]) == sorted(["one", "two", str(pids[0])])
        assert daemon.control("tail", "--stderr", "web1").stdout == "two\n"
        assert daemon.control("tail", "--grep", "on", "web1", "web2").stdout.split("\n")[:-1] in (
            ["web1:1 | one", "web2:1 | one"],
            ["web2:1 | one", "web1:1 | one"],
        )
        assert daemon.control("tail", "--since", "1h", "web1").stdout == shown
        assert daemon.control("tail", "--since", "soon", "web1").returncode == 2
        with (tmp_path / "told").open("wb") as out:
            follower = subprocess.Popen(
                [
                    *(Path(sys.prefix) / "bin" / "circusctl", "--endpoint", daemon.endpoint),
                    *("tail", "-f", "web*"),
                ],
                stdout=out,
            )
        try:
            until(lambda: (tmp_path / "told").read_text().count("\n") == 6)
            for number in range(2):
                daemon.ok("restart", name="web1", waiting=True)
                pids += daemon.until_active("web1", 1)
                until(
                    lambda number=number: (  # type: ignore[misc]
                        (tmp_path / "told").read_text().count("\n") == 9 + 3 * number
                    )
                )
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.wait(10) == 0
        lines = (tmp_path / "told").read_text().split("\n")[:-1]
        assert [line for line in lines if line.startswith("web1:1 err")] == ["web1:1 err | two"] * 3
        assert {f"web1:1 | {pid}" for pid in pids} <= set(lines)
        # And all of it is where it would have been without us.
        words = daemon.text().split("\n")
        assert (words.count("one"), words.count("two")) == (4, 4)
        assert {str(pid) for pid in pids} <= set(words)


def test_status_shows_the_last_lines_of_a_watcher_that_is_not_well(start: Start) -> None:
    daemon = start(
        "[watcher:sick]\ncmd = sh -c 'echo about to fail; echo no database >&2; exit 1'\n"
        "[watcher:well]\ncmd = sh -c 'echo fine; exec sleep 1000'\n"
    )
    until(lambda: "no database" in daemon.control("status", "sick").stdout)
    lines = daemon.control("status", "sick").stdout.split("\n")
    assert "sick:1 err | no database" in lines
    assert len(lines) <= 7
    until(lambda: daemon.control("tail", "well").stdout == "fine\n")
    assert daemon.control("status", "well").stdout == "active\n"
    assert "last_output" not in daemon.ok("status", name="well")
