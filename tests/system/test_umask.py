"""The umask is changed for a moment by several threads, and is in the end what it was."""

from __future__ import annotations

import os
import threading
import time

from cvec_circus_core.system.umask import umask


def now() -> int:
    """Return the umask."""
    before = os.umask(0)
    os.umask(before)
    return before


def test_it_is_given_back_by_each_thread() -> None:
    before = now()
    wrong: list[int] = []

    def change(mask: int) -> None:
        for _ in range(300):
            with umask(mask):
                time.sleep(0)
                inside = os.umask(mask)
                if inside != mask:
                    wrong.append(inside)

    threads = [threading.Thread(target=change, args=(mask,)) for mask in (0o077, 0o177, 0o027)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert now() == before


def test_one_within_another_and_an_error() -> None:
    before = now()
    try:
        with umask(0o077):
            with umask(0o177):
                assert now() == 0o177
            assert now() == 0o077
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert now() == before
