"""Pipes that say nothing leave our table of descriptors, and come back when they say something."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cvec_circus_core.system.processes.silent_pipes import TOGETHER, SilentPipes, silent_pipes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")


@pytest.fixture
def store() -> Iterator[SilentPipes]:
    """Return a place for silent pipes."""
    place = silent_pipes()
    assert place is not None
    yield place
    place.close()


def put(store: SilentPipes, count: int) -> tuple[list[int], list[int]]:
    """Make pipes and put them away; return their writing ends and their numbers."""
    ends = [os.pipe() for _ in range(count)]
    reading = [end for end, _ in ends]
    numbers = list(store.put(reading))
    for descriptor in reading:
        os.close(descriptor)
    return [end for _, end in ends], numbers


def descriptors() -> int:
    """Count the open descriptors of this thread."""
    return len(os.listdir("/proc/thread-self/fd"))


def wait_told(store: SilentPipes) -> list[int]:
    """Return the numbers that are told next."""
    select.select([store.epoll], [], [], 30)
    return store.poll()


def is_gone(writing: int) -> bool:
    """Tell whether nobody has the reading end any more."""
    try:
        os.write(writing, b"x")
    except BrokenPipeError:
        return True
    return False


def test_they_leave_our_table_and_stay_open(store: SilentPipes) -> None:
    before = descriptors()
    writing, numbers = put(store, TOGETHER)
    assert descriptors() == before + TOGETHER
    assert len(set(numbers)) == TOGETHER
    assert not store.poll()
    assert not any(is_gone(end) for end in writing)
    for end in writing:
        os.close(end)


def test_one_that_says_something_is_told_once_and_handed_back(store: SilentPipes) -> None:
    writing, numbers = put(store, 3)
    os.write(writing[1], b"words")
    assert wait_told(store) == [numbers[1]]
    assert store.poll() == []
    (reading,) = store.take([numbers[1]])
    assert os.read(reading, 100) == b"words"
    assert not os.get_inheritable(reading)
    os.close(reading)
    assert [is_gone(end) for end in writing] == [False, True, False]
    for end in writing:
        os.close(end)


def test_what_was_said_before_is_told(store: SilentPipes) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"early")
    numbers = list(store.put([reading]))
    os.close(reading)
    assert wait_told(store) == numbers
    os.close(writing)


def test_the_end_of_one_is_told(store: SilentPipes) -> None:
    writing, numbers = put(store, 2)
    os.close(writing[0])
    assert wait_told(store) == [numbers[0]]
    os.close(writing[1])


def test_more_are_handed_back_than_go_into_one_message(store: SilentPipes) -> None:
    writing, numbers = put(store, TOGETHER)
    more, more_numbers = put(store, TOGETHER)
    reading = store.take(numbers + more_numbers)
    for number, end in enumerate(writing + more):
        os.write(end, str(number).encode())
        os.close(end)
    assert [int(os.read(end, 100)) for end in reading] == list(range(2 * TOGETHER))
    for end in reading:
        os.close(end)


def test_dropped_ones_are_closed(store: SilentPipes) -> None:
    writing, numbers = put(store, 3)
    store.drop(numbers[:2])
    assert [is_gone(end) for end in writing] == [True, True, False]
    for end in writing:
        os.close(end)


def test_all_are_closed_at_the_end() -> None:
    place = SilentPipes()
    writing, _ = put(place, 1)
    place.close()
    poll = select.poll()
    poll.register(writing[0], 0)
    assert poll.poll(30_000), "the reading end is still open"
    assert is_gone(writing[0])
    os.close(writing[0])


def test_it_takes_no_more_than_the_limit_allows(store: SilentPipes) -> None:
    """A thread with a table of its own has the limit of the process, which may be low."""
    code = """
import os, resource
from cvec_circus_core.system.processes.silent_pipes import SilentPipes
place = SilentPipes()
ends = [os.pipe() for _ in range(20)]
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (16, hard))
numbers = place.put([reading for reading, _ in ends])
assert 0 < len(numbers) < 20, numbers
# The end of a thread may need a library, which is a file to be opened.
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
place.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_where_there_is_no_such_table_nothing_is_put_away(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "cvec_circus_core.system.processes.silent_pipes"
    before = descriptors()
    monkeypatch.setattr(f"{module}._CLOSE_RANGE", 100_000)
    assert silent_pipes() is None
    assert descriptors() == before
