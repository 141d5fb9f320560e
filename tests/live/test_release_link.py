"""A daemon that was started through a link to its release follows the link."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import BIN, Daemon, until


class Released(Daemon):
    """A daemon whose folder is a link to one of two releases, and where it was started."""

    def __init__(self, words: str) -> None:
        super().__init__("")
        self.releases = [self.folder / name for name in ("r1", "r2")]
        for release in self.releases:
            (release / "sub").mkdir(parents=True)
            for place in (release, release / "sub"):
                (place / "name").write_text(f"{place.relative_to(self.folder)}")
        self.current = self.folder / "current"
        self.current.symlink_to("r1")
        self.words = words

    def fill(self, release: Path, body: str) -> None:
        """Write the configuration of a release."""
        self.write(body)
        self.file.rename(release / "circus.ini")

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it as a shell would, in the folder that the link leads to."""
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [BIN / "circusd", "--log-level", "debug", self.words],
                cwd=self.current,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PWD": str(self.current), "LIVE_TEST_MARK": self.mark},
                start_new_session=True,
            )
        return self._process

    def flip(self) -> None:
        """Let the link lead to the other release."""
        (self.folder / "next").symlink_to("r2")
        (self.folder / "next").rename(self.current)


WATCHERS = """
[watcher:plain]
cmd = sleep 1000
[watcher:below]
cmd = sleep 1000
working_dir = sub
"""


@pytest.fixture
def daemon() -> Iterator[Released]:
    one = Released("circus.ini")
    one.fill(one.releases[0], WATCHERS)
    one.fill(one.releases[1], f"{WATCHERS}[watcher:new]\ncmd = sleep 1000\n")
    try:
        one.start()
        yield one
        one.account()
    finally:
        one.clean_up()
        shutil.rmtree(one.folder)


def places(daemon: Released) -> list[str]:
    """Return the folders in which processes are."""
    return [
        os.readlink(f"/proc/{daemon.until_active(name, 1)[0]}/cwd") for name in ("plain", "below")
    ]


def test_it_is_reread_and_restarted_in_the_new_release(daemon: Released) -> None:
    first, second = map(str, daemon.releases)
    assert places(daemon) == [first, f"{first}/sub"]
    daemon.flip()
    shutil.rmtree(first)
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: "new" in daemon.ok("list")["watchers"])
    daemon.ok("restart", waiting=True)
    assert places(daemon) == [second, f"{second}/sub"]


def test_a_name_of_another_folder_does_not_count(daemon: Released) -> None:
    # As ``sudo -D``, ``env -C`` and the like leave it.
    before = places(daemon)
    daemon.stop()
    real = daemon.current
    daemon.current = daemon.folder / "elsewhere"
    daemon.current.symlink_to("r1")
    environment = {"PWD": str(daemon.folder)}
    with (daemon.folder / "out").open("ab") as out:
        daemon._process = subprocess.Popen(
            [BIN / "circusd", "--log-level", "debug", "circus.ini"],
            cwd=real,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, "LIVE_TEST_MARK": daemon.mark},
            start_new_session=True,
        )
    daemon.ok("list")
    daemon.flip()
    daemon.ok("restart", waiting=True)
    assert places(daemon) == before


STREAMS = """
[watcher:plain]
cmd = sh -c 'while :; do echo line; sleep 0.1; done'
stdout_stream.class = CLASS
stdout_stream.filename = out.log
"""


@pytest.mark.parametrize(
    "class_",
    [
        "FileStream",
        "WatchedFileStream",
        "TimedRotatingFileStream\nstdout_stream.rotate_when = H",
    ],
    ids=["file", "watched", "timed"],
)
def test_relative_names_are_those_of_the_release_in_force(class_: str) -> None:
    daemon = Released("circus.ini")
    daemon.log = daemon.current / "circus.log"
    daemon.circus = "logoutput = circus.log\nloglevel = debug\npidfile = circus.pid\n"
    first, second = daemon.releases
    for release in daemon.releases:
        daemon.fill(release, STREAMS.replace("CLASS", class_))
    try:
        daemon.start()
        pid = daemon.until_active("plain", 1)
        assert (first / "circus.pid").read_text() == f"{daemon.process.pid}\n"
        until(lambda: any(first.glob("out.log*")))
        daemon.flip()
        daemon.ok("reopen")
        until(lambda: any("line" in file.read_text() for file in second.glob("out.log*")))
        assert daemon.pids("plain") == pid
        shutil.rmtree(first)
        daemon.ok("restart", waiting=True)
        until(lambda: "plain started" in (second / "circus.log").read_text())
        assert "can not" not in daemon.text()
        assert daemon.stop() == 0
    finally:
        daemon.clean_up()
        shutil.rmtree(daemon.folder)
