"""The systemd unit of the examples, as systemd itself sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import need

EXPOSURE = 50
"""What systemd may find exposed, of 100; without any sandboxing it finds 96."""

UNIT = Path(__file__).resolve().parent.parent.parent / "docs" / "examples" / "circusd.service"


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert "/opt/circus/bin/circusd" in text
    # Whoever installs it has the program there; here it lies beside the interpreter.
    copy = tmp_path / UNIT.name
    program = str(Path(sys.prefix) / "bin" / "circusd")
    copy.write_text(text.replace("/opt/circus/bin/circusd", program), encoding="utf-8")
    done = subprocess.run(
        [need("systemd-analyze", "systemd"), "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    about_it = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, about_it) == (0, []), done.stderr


def test_systemd_finds_the_unit_well_shut_in() -> None:
    words = ["--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(UNIT)]
    done = subprocess.run(
        [need("systemd-analyze", "systemd"), "security", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd judges only what runs")
    assert done.returncode == 0, done.stdout + done.stderr
