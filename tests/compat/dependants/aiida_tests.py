"""The tests of the daemon in aiida-core's own repository, on one of the two sides."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

from tests.compat.dependants.installed import end_those_of, installed, surroundings

PACKAGES = (
    *("aiida-core[atomic_tools,rest]~=2.9.0", "aiida-export-migration-tests==0.9.0"),
    *("pytest~=7.0", "pytest-asyncio<0.17", "pytest-timeout~=2.0", "pytest-cov~=7.0"),
    *("pytest-rerunfailures~=12.0", "pytest-benchmark~=4.0", "pytest-regressions~=2.2"),
    *("pytest-instafail~=0.5", "pytest-xdist~=3.6", "pgtest~=1.3", "pympler~=1.0"),
    *("ipykernel~=6.9", "nbclient~=0.10", "nbformat~=5.10", "pg8000~=1.13"),
    *("sphinx~=7.2.0", "docutils~=0.20"),
)
"""The tests' own requirements, as their repository lists them."""
TESTS = (
    "tests/cmdline/commands/test_daemon.py",
    "tests/cmdline/utils/test_daemon.py",
    "tests/cmdline/commands/test_status.py",
    "tests/cmdline/commands/test_process.py",
    "tests/engine/daemon/test_client.py",
    "tests/engine/daemon/test_worker.py",
    "tests/engine/test_daemon.py",
    "tests/engine/processes/test_control.py",
)
"""Those that start a daemon or speak to one."""
LIMIT = 3600.0


def check(repository: Path, side: str) -> set[str]:
    """Run them on a side, print how many passed, and return which did not."""
    with installed(side, PACKAGES) as environment:
        home = Path(tempfile.mkdtemp(prefix="aiida-"))
        try:
            return _run(repository, side, environment, home)
        finally:
            end_those_of(home)
            shutil.rmtree(home, ignore_errors=True)


def _run(repository: Path, side: str, environment: Path, home: Path) -> set[str]:
    archive = home / "tests.tar"
    words = ["archive", "-o", str(archive), "HEAD", "tests", "pyproject.toml"]
    subprocess.run(["git", "-C", str(repository), *words], check=True)
    shutil.unpack_archive(archive, home, filter="data")
    report = home / "report.xml"
    process = subprocess.Popen(
        [
            *(environment / "bin" / "python", "-m", "pytest", "-q", "--broker-backend", "zmq"),
            *("-p", "no:cacheprovider", f"--junitxml={report}", *TESTS),
        ],
        cwd=home,
        env=surroundings(environment, home, AIIDA_PATH=str(home)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + LIMIT
    # A process that a test has left behind keeps it from ending when all is told.
    while process.poll() is None and not report.exists() and time.monotonic() < end:
        time.sleep(1)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    passed, failed = _outcomes(report)
    print(f"{side}: {passed} passed, {len(failed)} failed", flush=True)
    return failed


def _outcomes(report: Path) -> tuple[int, set[str]]:
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = {
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - len(failed) - skipped, failed
