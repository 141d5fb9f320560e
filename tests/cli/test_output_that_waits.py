"""Somebody has set O_NONBLOCK on the standard output that circusctl shares with them."""

from __future__ import annotations

import fcntl
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

from tests.programs import wait_until

WRITE = "1" if platform.machine() == "x86_64" else "64"
CIRCUSCTL = Path(sys.prefix) / "bin" / "circusctl"


def waits_for_room(pid: int) -> bool:
    """Tell whether a process stands in a system call that writes."""
    number, _, words = Path(f"/proc/{pid}/syscall").read_text().partition(" ")
    return number == WRITE and words.split()[0] == "0x1"


def test_every_line_is_printed_whoever_reads_slowly() -> None:
    whole = subprocess.run([CIRCUSCTL, "help", "--json"], capture_output=True, check=True).stdout
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    # There is no room for anything.
    full = b"x" * 4096
    assert os.write(writing, full) == len(full)
    received: list[bytes] = []

    def read() -> None:
        while data := os.read(reading, 100):
            received.append(data)

    with subprocess.Popen([CIRCUSCTL, "help", "--json"], stdout=writing) as circusctl:
        os.close(writing)
        wait_until(lambda: circusctl.poll() is not None or waits_for_room(circusctl.pid))
        reader = threading.Thread(target=read)
        reader.start()
        assert circusctl.wait(20) == 0
        reader.join()
    os.close(reading)
    assert b"".join(received) == full + whole
