"""The proof itself: it finds every kind of fault."""

from __future__ import annotations

import pytest

from tests.streams.whole import Around, NotWhole, check, lines_of

COUNT = 3000
WANTED = {b"%02d" % worker: lines_of(worker, COUNT) for worker in (1, 2)}
ONE, TWO = WANTED.values()
WHOLE = ONE[:10_000] + TWO[:20] + ONE[10_000:] + TWO[20:]


@pytest.mark.parametrize(
    "data", [ONE + TWO, TWO + ONE, WHOLE], ids=["one first", "two first", "mixed"]
)
def test_what_is_whole(data: bytes) -> None:
    check(data, WANTED, Around())


def test_what_stands_around_may_change() -> None:
    around = Around(rb"<[a-z]+>", b"</>")
    data = around.put(ONE[:500], b"<a>") + around.put(TWO, b"<bb>") + around.put(ONE[500:], b"<c>")
    check(data, WANTED, around)
    with pytest.raises(NotWhole, match="no whole line"):
        check(data.replace(b"</>", b"", 1), WANTED, around)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (WHOLE[:-10], "the last 1 lines of worker 02"),
        (b"", "the last 3000 lines of worker 01"),
        (WHOLE + TWO[-10:], "worker 02 should say b''"),
        (WHOLE[:500] + WHOLE[510:], "worker 01 should say b'01 000050'"),
        (WHOLE[:500] + WHOLE[490:], "worker 01 should say b'01 000050'"),
        (WHOLE[:505] + WHOLE[510:], "no whole line at byte 500"),
        (ONE[:505] + TWO + ONE[505:], "no whole line at byte 500"),
        (ONE[10:20] + ONE[:10] + ONE[20:] + TWO, "worker 01 should say b'01 000000'"),
        (ONE + TWO + lines_of(3, 1), "no whole line at byte 60000"),
    ],
    ids=[
        *("last line", "everything", "once too many", "lost", "twice", "cut", "torn"),
        *("order", "stranger"),
    ],
)
def test_what_is_not(data: bytes, what: str) -> None:
    with pytest.raises(NotWhole) as told:
        check(data, WANTED, Around())
    assert what in str(told.value)
