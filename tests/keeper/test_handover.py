"""What one keeper hands over to another, and how the ends of others' children are known."""

from __future__ import annotations

import asyncio
import marshal
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.keeper_client import keeper_wire
from cvec_circus_core.system.keeper_client.handover import pack, unpack
from cvec_circus_core.system.keeper_client.keeper_link import KeeperLink
from cvec_circus_core.system.keeper_client.kept_processes import KeptProcesses
from cvec_circus_core.system.keeper_client.ledger import NO_DESCRIPTOR, Holdings
from cvec_circus_core.system.processes.descriptors import NofileLimit
from cvec_circus_core.system.processes.local_owner import pidfd_processes
from cvec_circus_core.system.processes.lost_exits import exit_of_stranger
from cvec_circus_core.system.state_store import Inventory, KeptProcess
from tests.live.daemon import is_alive, until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

_SOCKET = OpenSocket("web", 5, "127.0.0.1", 80, None, 10, True)


def test_what_is_packed_is_unpacked() -> None:
    holdings, (reading, writing) = Holdings(), os.pipe()
    entry = holdings.ledger.add(7, b"label", {"stdout": reading, "stderr": NO_DESCRIPTOR}, 3)
    holdings.ledger.add(8, b"ended", {}).end = Exit(-9, left_behind=True)
    holdings.note("key", b"\xff")
    holdings.hold("output", writing)
    inventory = unpack(pack(holdings, [(BindPlan("web"), _SOCKET)], {"starts": 2}))
    first, second = inventory.processes
    assert (first.number, first.pid, first.label, first.end) == (3, 7, b"label", None)
    assert first.descriptors == {"stdout": reading}
    assert (second.number, second.end) == (4, Exit(-9, left_behind=True))
    assert inventory.sockets == [(BindPlan("web"), _SOCKET)]
    assert (inventory.notes, inventory.held) == ({"key": b"\xff"}, {"output": writing})
    assert inventory.facts == {"starts": 2}
    assert os.get_inheritable(reading)
    assert os.get_inheritable(writing)
    holdings.ledger.release(entry.number, "stdout")
    os.close(writing)


@pytest.mark.parametrize("data", [{}, {"of_a_later_version": 1, "notes": {"a": b"b"}}])
def test_what_is_missing_or_new_does_no_harm(data: dict[str, object]) -> None:
    file = os.memfd_create("handover")
    with open(file, "wb", closefd=False) as out:
        marshal.dump(data, out)
    inventory = unpack(file)
    assert (inventory.processes, inventory.notes) == ([], data.get("notes", {}))


def test_duplicates_take_no_more_than_half_of_what_there_is() -> None:
    limit, (reading, writing) = NofileLimit(), os.pipe()
    copy = limit.duplicate(reading)
    assert os.path.sameopenfile(copy, reading)
    assert not os.get_inheritable(copy)
    limit.original, limit.current = (2 * copy - 1, 2 * copy), (2 * copy, 2 * copy)
    with pytest.raises(OSError, match="Too many open files"):
        limit.duplicate(reading)
    for number in (copy, reading, writing):
        os.close(number)


def _grandchild(program: str) -> int:
    """Start what is nobody's child in this program."""
    words = [sys.executable, "-c", f"import subprocess; print(subprocess.Popen({program}).pid)"]
    ended = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.parametrize(
    ("words", "code"),
    [(["sh", "-c", "sleep 0.3; exit 7"], 7), (["sh", "-c", "sleep 0.3; kill -9 $$"], -9)],
)
def test_the_end_of_a_stranger_is_known(words: Sequence[str], code: int) -> None:
    pid = _grandchild(f"{words!r}, stdin=-3, stdout=-3, stderr=-3")
    pidfd = os.pidfd_open(pid)
    select.select([pidfd], [], [], 30)
    assert exit_of_stranger(pid, pidfd) == code
    os.close(pidfd)


def test_a_stranger_is_adopted_signalled_and_missed() -> None:
    async def run() -> list[tuple[int, Exit]]:
        loop, ends = asyncio.get_running_loop(), []
        processes = pidfd_processes(loop)

        def on_exit(pid: int, end: Exit) -> None:
            ends.append((pid, end))
            over.set_result(None)

        pid = _grandchild("['sleep', '1000'], stdin=-3, stdout=-3, stderr=-3")
        over = loop.create_future()
        processes.adopt(pid, on_exit)
        assert pid in processes
        processes.signal(pid, signal.SIGTERM)
        await asyncio.wait_for(over, 30)
        processes.close()
        return ends

    ((pid, end),) = asyncio.run(run())
    assert end.code == -signal.SIGTERM
    until(lambda: not is_alive(pid))


def test_where_there_can_be_no_other_keeper_all_is_stopped() -> None:
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)

    async def run() -> None:
        ours, theirs = keeper_wire.pair()
        link, is_lost = KeeperLink(ours), asyncio.Event()
        process = KeptProcess(1, child.pid, b"", {}, None, False)
        kept = KeptProcesses(link, None, is_lost.set, Inventory([process]))
        kept.take_over(process, lambda *_: None)
        theirs.close()
        link.attach(asyncio.get_running_loop())
        await asyncio.wait_for(is_lost.wait(), 30)
        link.close()

    asyncio.run(run())
    assert child.wait(30) == -signal.SIGTERM


def test_one_that_is_gone_can_not_be_adopted() -> None:
    child = subprocess.Popen(["true"])
    child.wait()

    async def run() -> None:
        processes = pidfd_processes(asyncio.get_running_loop())
        with pytest.raises(ProcessLookupError):
            processes.adopt(child.pid, lambda *_: None)
        assert not processes.alive()
        processes.close()

    asyncio.run(run())
