"""The samples of units are what systemd itself takes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.importers.runs import prepared, samples
from tests.programs import need


@pytest.mark.parametrize("name", samples("systemd"))
def test_systemd_finds_no_fault_in_a_sample(name: str) -> None:
    program = need("systemd-analyze", "systemd")
    with TemporaryDirectory(prefix="imp") as short:
        unit = prepared("systemd", name, Path(short))
        done = subprocess.run(
            [program, "verify", "--man=no", "--recursive-errors=no", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        # One writes to syslog, as many did.
    lines = [line for line in done.stderr.splitlines() if "obsolete" not in line]
    about_it = [line for line in lines if unit.name in line]
    assert (done.returncode, about_it) == (0, [])
