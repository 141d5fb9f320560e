"""circusd tells all that is to be said of a file: warnings, then mistakes, then one sentence."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CIRCUSD = Path(sys.prefix) / "bin" / "circusd"


def run(folder: Path, text: str, *flags: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that were said about a file, without its folder."""
    file = folder / "app.ini"
    head = f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
    file.write_text(head + text)
    done = subprocess.run(
        [CIRCUSD, *flags, str(file)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    said = done.stderr + done.stdout
    assert "Traceback" not in said
    return done.returncode, said.replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_warnings_are_told_beside_mistakes(tmp_path: Path, flags: tuple[str, ...]) -> None:
    text = "debug = yes\n[wacher:x]\ncmd = 1\n[watcher:w]\ncmd = true\npriority = x\n"
    code, lines = run(tmp_path, text, *flags)
    assert code == 1
    assert [line.partition(": [")[0] for line in lines[:3]] == [
        "warning: app.ini:4",
        "warning: app.ini:5",
        "error: app.ini:9",
    ]
    assert len(lines) == 4


ONE_IS_BAD = "[watcher:good]\ncmd = true\n[watcher:bad]\ncmd = true\npriority = x\n"


@pytest.mark.parametrize("text", [ONE_IS_BAD, f"skip_bad = yes\n{ONE_IS_BAD}"])
@pytest.mark.parametrize("flags", [("--check",), ("--check", "--skip-bad")])
def test_check_tells_what_would_be_left_out(
    tmp_path: Path, text: str, flags: tuple[str, ...]
) -> None:
    code, lines = run(tmp_path, text, *flags)
    assert (code, len(lines), lines[-1]) == (1, 2, "circusd: 1 mistake")
    assert lines[0].startswith("error: app.ini:")
    assert "[watcher:bad] priority = x" in lines[0]


@pytest.mark.parametrize(
    ("text", "flags", "last"),
    [
        (ONE_IS_BAD, (), "nothing was started (--skip-bad leaves bad watchers and sockets out)"),
        (f"httpd = x\n{ONE_IS_BAD}", (), "nothing was started"),
        (f"httpd = x\n{ONE_IS_BAD}", ("--skip-bad",), "nothing was started"),
    ],
)
def test_skip_bad_is_named_where_it_helps(
    tmp_path: Path, text: str, flags: tuple[str, ...], last: str
) -> None:
    code, lines = run(tmp_path, text, *flags)
    assert (code, lines[-1].partition(", ")[2]) == (1, last)


def test_a_count_of_watchers_has_the_right_ending(tmp_path: Path) -> None:
    assert run(tmp_path, "", "--check") == (0, ["app.ini is good: 0 watchers"])
    one = "[watcher:w]\ncmd = true\n"
    assert run(tmp_path, one, "--check") == (0, ["app.ini is good: 1 watcher"])


@pytest.mark.parametrize("words", [("--check",), ("--check", ""), ("",), ("--daemon",)])
def test_a_file_has_to_be_named(words: tuple[str, ...]) -> None:
    done = subprocess.run([CIRCUSD, *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("circusd: error: which configuration file?")


def test_without_arguments_the_usage_is_told() -> None:
    done = subprocess.run([CIRCUSD], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout[:14], done.stderr) == (0, "usage: circusd", "")


WATCHER = "[watcher:w]\ncmd = true\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "loggerconfig = /nofile\n",
            "app.ini:4: [circus] loggerconfig = /nofile: "
            "can not be used: no such file or directory",
        ),
        (
            "loggerconfig = app.ini\n",
            "app.ini:4: [circus] loggerconfig = app.ini: "
            "can not be used: it has no section [loggers]",
        ),
        (
            "endpoint_owner = nosuchuser\n",
            "app.ini:4: [circus] endpoint_owner = nosuchuser: "
            "can not be used: there is no user named 'nosuchuser'",
        ),
    ],
)
def test_check_tells_what_would_hinder_the_start(tmp_path: Path, text: str, told: str) -> None:
    code, lines = run(tmp_path, text, "--check")
    assert (code, lines) == (1, [f"error: {told}", "circusd: 1 mistake"])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            "cmd = nosuchprogram -x",
            "names the program 'nosuchprogram', which is in no folder of PATH",
        ),
        ("cmd = ./nosuch", "names the program './nosuch', which is not there"),
        ("cmd = ./plain", "names the file './plain', which may not be run"),
        (
            "cmd = plain\nworking_dir = sub",
            "names the program 'plain', which is in no folder of PATH",
        ),
        ("cmd = web\nexecutable = bin/no", "names the program 'bin/no', which is not there"),
        ("cmd = nosuch $WID\nshell = yes", None),
        ("cmd = $(circus.env.NO)/x", None),
        ("cmd = sub/run", None),
        ("cmd = ./run\nworking_dir = sub", None),
        ("cmd = run\nenv = PATH=sub", None),
        ("cmd = sleep 1", None),
    ],
)
def test_check_warns_of_programs_that_can_not_be_run(
    tmp_path: Path, lines: str, told: str | None
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "plain").touch(mode=0o644)
    (tmp_path / "sub" / "run").touch(mode=0o755)
    code, said = run(tmp_path, f"[watcher:w]\n{lines}\n", "--check")
    assert (code, said[-1]) == (0, "app.ini is good: 1 watcher")
    warnings = [line for line in said[:-1] if "names the environment" not in line]
    assert [line.rpartition(": ")[2] for line in warnings] == ([told] if told else [])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("uid = nosuchuser", "can not be used: there is no user named 'nosuchuser'"),
        ("directory = /no/such", "is a folder that is not there"),
        ("virtualenv = /no/such", "is a folder that is not there"),
        ("stdout_stream.filename = /no/such/x.log", "is in a folder that is not there"),
        ("hooks.before_start = nosuch.module.fn", "can not be called: nosuch is not found"),
        ("hooks.before_start = mine.inner.fn", "can not be called: mine.inner is not found"),
        ("hooks.before_start = mine.module.no", "can not be called: mine.module.no is not found"),
        ("hooks.before_start = os.path.join", None),
        ("working_dir = $(circus.env.NO)/x", None),
    ],
)
def test_check_warns_of_what_is_not_there(tmp_path: Path, line: str, told: str | None) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "module.py").write_text("raise SystemExit\ndef fn(): ...\n")
    text = f"{WATCHER}{line}\n[env:w]\nPYTHONPATH = {tmp_path}\n"
    code, lines = run(tmp_path, text, "--check")
    assert (code, lines[-1]) == (0, "app.ini is good: 1 watcher")
    if told is not None:
        place = "warning: app.ini:6: [watcher:w]"
        assert lines[0].startswith(f"{place} {line.replace(str(tmp_path), '')}: {told}")
    elif "$" not in line:
        assert len(lines) == 1


@pytest.mark.parametrize(
    ("hook", "sentence"),
    [
        ("gate:no", "can not be called: no gate is named 'no'; those installed are"),
        ("mine.fn", "can not be imported: SystemExit"),
    ],
)
def test_check_refuses_hooks_that_can_not_be_had(tmp_path: Path, hook: str, sentence: str) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit\ndef fn(): ...\n")
    text = f"{WATCHER}hooks.before_start = {hook}\n[env:w]\nPYTHONPATH = {tmp_path}\n"
    code, lines = run(tmp_path, text, "--check")
    assert code == 1
    assert lines[0].startswith(
        f"error: app.ini:6: [watcher:w] hooks.before_start = {hook}: {sentence}"
    )


def own_name() -> str:
    """Return the name of this process, as its command line has it."""
    return Path(os.fsdecode(Path("/proc/self/cmdline").read_bytes().split(b"\0")[0])).name


def test_check_tells_of_addresses_that_are_in_use(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        text = (
            f"[socket:tcp]\nhost = 127.0.0.1\nport = {port}\n"
            "[socket:unix]\npath = s\n"
            f"[socket:far]\npath = none/s\n"
            "[socket:any]\nport = 0\n"
        )
        code, lines = run(tmp_path, text, "--check")
        unix.close()
        assert code == 0
        assert [line.partition(": ")[2].replace(f"{tmp_path}/", "") for line in lines[:3]] == [
            f"app.ini:6: [socket:tcp] port = {port}: can not listen at 127.0.0.1:{port}: "
            f"another process listens there already: {os.getpid()} ({own_name()})",
            f"app.ini:8: [socket:unix] path = s: is in use: process {os.getpid()} listens there",
            "app.ini:10: [socket:far] path = none/s: is in a folder that is not there",
        ]
    # What the running daemon has may be its own.
    with socket.socket(socket.AF_UNIX) as daemon, socket.create_server(("127.0.0.1", 0)) as tcp:
        daemon.bind(str(tmp_path / "c"))
        daemon.listen()
        text = f"[socket:tcp]\nhost = 127.0.0.1\nport = {tcp.getsockname()[1]}\n"
        assert run(tmp_path, text, "--check") == (0, ["app.ini is good: 0 watchers"])


def test_all_mistakes_of_a_watcher_are_told_at_once(tmp_path: Path) -> None:
    text = (
        "[watcher:w]\ncmd = nosuchprogram\nnumprocesses = x\nmax_age = 3y\nuse_papa = yes\n"
        "stdout_stream.class = FileStream\nstdout_stream.filename = /no/such/folder/x\n"
        "stdout_stream.max_bytes = 10XB\n"
    )
    code, lines = run(tmp_path, text, "--check")
    assert code == 1
    assert [line.partition("]")[2].partition(" = ")[0].strip() for line in lines[:-1]] == [
        "cmd",
        "use_papa",
        "stdout_stream.filename",
        "numprocesses",
        "max_age",
        "stdout_stream.max_bytes",
    ]
    assert lines[4].endswith(
        "isn't a number (allowed: seconds, or a time such as 250ms or 1h30m, at least 0)"
    )
    assert lines[5].endswith(
        "isn't an integer (allowed: bytes, or a size such as 64k or 10MB, at least 0)"
    )
