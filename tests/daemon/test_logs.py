"""Whatever a program of the daemon has to say goes by the log."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvec_circus_core.daemon import logs
from cvec_circus_core.model.specs import ArbiterSpec

LIMIT = 20.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Log to a file, and put everything back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.unraisablehook, threading.excepthook
    source = logging._srcfile
    shown = logging.logThreads, logging.logProcesses, logging.logMultiprocessing
    logs.set_up(ArbiterSpec(logoutput=str(tmp_path / "log"), loglevel="info"))
    yield tmp_path / "log"
    for queue in logs._queues():
        queue.retire()
    logging.captureWarnings(False)
    root.handlers[:], level, sys.unraisablehook, threading.excepthook = before
    root.setLevel(level)
    logging._srcfile = source
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = shown


class Bad:
    """Can not be taken away in peace."""

    def __del__(self) -> None:
        raise RuntimeError("out of ink")


def fail() -> None:
    """Be a thread that fails."""
    raise RuntimeError("out of paper")


def test_what_python_says_by_itself_goes_by_the_log(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Bad()
    del bad
    thread = threading.Thread(target=fail, name="printer")
    thread.start()
    thread.join()
    warnings.warn("little ink", stacklevel=1)
    assert logs.wait_written(LIMIT)
    text = file.read_text()
    assert "RuntimeError: out of ink" in text
    assert "the thread printer failed" in text
    assert "RuntimeError: out of paper" in text
    assert "little ink" in text
    assert capsys.readouterr().err == ""


def test_reopening_follows_a_move(file: Path) -> None:
    log = logging.getLogger("x")
    log.info("one")
    assert logs.wait_written(LIMIT)
    file.rename(file.with_suffix(".old"))
    logs.reopen()
    log.info("two")
    assert logs.wait_written(LIMIT)
    assert file.with_suffix(".old").read_text().endswith("one\n")
    assert file.read_text().endswith("two\n")
