"""How busy the processors are, as the kernel says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvec_circus_core.system.stats.run_queue import Load
from tests.programs import wait_until

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts")


@on_linux
def test_busy_processes_are_seen() -> None:
    load = Load()
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(20)]
    try:
        wait_until(lambda: load.runnable() >= 20)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
        load.close()


@pytest.mark.parametrize("text", ["", "nonsense", "0.1 0.2 0.3 x/4 5"])
def test_what_can_not_be_read_is_no_load(tmp_path: Path, text: str) -> None:
    file = tmp_path / "loadavg"
    file.write_text(text)
    assert Load(str(file)).runnable() == 0
    assert Load(str(tmp_path / "missing")).runnable() == 0


@on_linux
def test_nothing_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    load = Load()
    load.close()
    load.close()
    assert load.runnable() == 0
    assert len(os.listdir("/proc/self/fd")) == before
