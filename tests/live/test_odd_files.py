"""Configuration files that are pipes, hang, or are read in the middle of a save."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.daemon import BIN, LIMIT, Daemon, free_port, until

Start = Callable[..., Daemon]
WEB = "[watcher:web]\ncmd = sleep 1000\n"
DB = "[watcher:db]\ncmd = sleep 1000\n"


def included(daemon: Daemon, text: str) -> Path:
    """Write a file that the main one includes."""
    file = daemon.folder / "more.ini"
    file.write_text(text)
    return file


def starting(start: Start, text: str = DB) -> tuple[Daemon, Path]:
    """Start a daemon whose file includes another one."""
    daemon = start(WEB, circus="include = more.ini\n")
    file = included(daemon, text)
    daemon.ok("reloadconfig", waiting=True)
    return daemon, file


@contextmanager
def silent_pipe(path: Path) -> Iterator[None]:
    """Put a pipe there that somebody has open for writing, and never writes to."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    try:
        yield
    finally:
        os.close(fd)


class TestPipes:
    @pytest.mark.parametrize("name", ["circus.ini", "more.ini"])
    def test_one_that_is_silent_is_refused_at_once(self, start: Start, name: str) -> None:
        daemon, _ = starting(start)
        before = daemon.until_active("web", 1), daemon.until_active("db", 1)
        with silent_pipe(daemon.folder / name):
            begun_at = time.monotonic()
            for words in (("reloadconfig",), ("reloadconfig", "--plan"), ("restart",)):
                result = daemon.control(*words)
                assert result.returncode == 3
                assert f"{name}: can not be read: it is a pipe" in result.stderr
            daemon.ok("list")
            assert time.monotonic() - begun_at < 8
        assert (daemon.pids("web"), daemon.pids("db")) == before

    def test_a_logging_configuration_that_never_ends_is_refused(self, start: Start) -> None:
        daemon = start(WEB)
        pipe = daemon.folder / "logging.json"
        daemon.circus = f"loggerconfig = {pipe}\n"
        daemon.write(WEB)
        with silent_pipe(pipe):
            assert "it takes more than 5 s" in daemon.refused("reloadconfig")[1]
        daemon.ok("list")

    def test_a_device_without_an_end_is_refused(self, start: Start) -> None:
        daemon, file = starting(start)
        file.unlink()
        file.symlink_to("/dev/zero")
        assert "it is a device" in daemon.refused("reloadconfig")[1]

    def test_a_start_reads_one_as_a_file(self, tmp_path: Path) -> None:
        text = (
            f"[circus]\nendpoint = tcp://127.0.0.1:{free_port()}\n"
            f"pubsub_endpoint = tcp://127.0.0.1:{free_port()}\n{WEB}"
        )
        for path in ("/dev/stdin", "/proc/self/fd/0"):
            result = subprocess.run(
                [BIN / "circusd", "--check", path],
                input=text,
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
            assert result.stdout == f"{path} is good: 1 watcher\n"
        pipe = tmp_path / "pipe.ini"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_text, args=(text,))
        writer.start()
        result = subprocess.run(
            [BIN / "circusd", "--check", pipe], capture_output=True, text=True, timeout=LIMIT
        )
        writer.join()
        assert result.stdout == f"{pipe} is good: 1 watcher\n"


class TestHalfASave:
    @pytest.mark.parametrize("text", ["", DB[:5], DB + "[watcher:c", DB.rstrip(), "\n"])
    def test_of_an_included_file_removes_nothing(self, start: Start, text: str) -> None:
        daemon, file = starting(start, f"{DB}[watcher:cache]\ncmd = sleep 1000\n")
        before = daemon.until_active("db", 1), daemon.until_active("cache", 1)
        file.write_text(text)
        errno, why = daemon.refused("reloadconfig")
        assert errno == 4 or "more.ini" in why, why
        assert (daemon.pids("db"), daemon.pids("cache")) == before
        if text in ("", "\n", DB.rstrip()):
            assert "--allow-empty" in why
            daemon.ok("reloadconfig", allow_empty=True, waiting=True)
            assert "cache" not in daemon.ok("list")["watchers"]
            daemon.ok("reloadconfig", waiting=True)

    def test_of_the_main_file_removes_nothing(self, start: Start) -> None:
        daemon = start(f"{WEB}{DB}")
        before = daemon.until_active("db", 1)
        whole = daemon.file.read_text()
        daemon.file.write_text(whole.removesuffix(DB).rstrip())
        assert "has no watcher db any more" in daemon.refused("reloadconfig")[1]
        assert daemon.pids("db") == before
        daemon.file.write_text(whole.removesuffix(DB))
        daemon.ok("reloadconfig", waiting=True)
        assert daemon.ok("list")["watchers"] == ["web"]

    def test_is_not_seen_in_files_that_never_ended_otherwise(self, start: Start) -> None:
        daemon, file = starting(start, f"{DB}[watcher:cache]\ncmd = sleep 1000")
        daemon.until_active("cache", 1)
        file.write_text(DB.rstrip())
        daemon.ok("reloadconfig", waiting=True)
        assert sorted(daemon.ok("list")["watchers"]) == ["db", "web"]

    def test_a_file_that_is_taken_away_is_meant(self, start: Start) -> None:
        daemon = start(WEB, circus="include_dir = .\n")
        file = included(daemon, DB)
        daemon.ok("reloadconfig", waiting=True)
        daemon.until_active("db", 1)
        file.rename(file.with_suffix(".off"))
        daemon.ok("reloadconfig", waiting=True)
        until(lambda: daemon.ok("list")["watchers"] == ["web"])
