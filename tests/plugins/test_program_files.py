"""What a watcher's command is made of, and when that has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest

from cvec_circus_plugins._program_files import FileFilter, fingerprint, program_files
from cvec_circus_plugins.command_reloader import ReloaderSettings, WatchedProgram


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a program, a script and an environment."""
    for name in ("run", "app.py", "bin/tool", "env/bin/tool"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({"cmd": "./run"}, ["run"]),
        ({"cmd": "./run --now"}, ["run"]),
        ({"cmd": "'./run' \"a b\""}, ["run"]),
        ({"cmd": "./nothing"}, ["nothing"]),
        ({"cmd": "tool x", "env": {"PATH": "HOME/bin"}}, ["bin/tool"]),
        ({"cmd": "tool", "env": {"PATH": "HOME/bin"}, "virtualenv": "env"}, ["env/bin/tool"]),
        ({"cmd": "no-such-program"}, []),
        ({"cmd": "name", "executable": "HOME/run"}, ["run"]),
        ({"cmd": "unclosed 'quote"}, []),
        ({"cmd": ""}, []),
        ({}, []),
    ],
)
def test_the_program_is_the_first_word(
    home: Path, options: dict[str, Any], files: list[str]
) -> None:
    assert found(home, options) == [home / file for file in files]


@pytest.mark.parametrize(
    "options",
    [
        {"cmd": "./run app.py --level 3 bin"},
        {"cmd": "./run", "args": "app.py"},
        {"cmd": "./run", "args": ["app.py", 3]},
    ],
)
def test_scripts_are_found_where_they_are_wanted(home: Path, options: dict[str, Any]) -> None:
    assert found(home, options) == [home / "run"]
    assert found(home, options, with_arguments=True) == [home / "run", home / "app.py"]


def found(home: Path, options: dict[str, Any], with_arguments: bool = False) -> list[Path]:
    """Return the files of a command in this folder."""
    given = {**options, "working_dir": str(home)}
    if "env" in given:
        given["env"] = {"PATH": given["env"]["PATH"].replace("HOME", str(home))}
    if "executable" in given:
        given["executable"] = given["executable"].replace("HOME", str(home))
    return list(program_files(given, with_arguments=with_arguments))


@pytest.mark.parametrize(
    ("path", "patterns", "ignored", "counts"),
    [
        ("a.py", (), (), True),
        ("a.py", ("*.py",), (), True),
        ("sub/a.py", ("*.py",), (), True),
        ("sub/a.py", ("sub/*.py",), (), True),
        ("a.txt", ("*.py", "*.html"), (), False),
        ("a.py", (), ("*.py",), False),
        ("logs/deep/a.py", (), ("logs",), False),
        ("catalogs/a.py", (), ("logs",), True),
    ],
)
def test_which_files_in_a_directory_count(
    path: str, patterns: tuple[str, ...], ignored: tuple[str, ...], counts: bool
) -> None:
    file_filter = FileFilter(patterns, ignored)
    assert file_filter.matches(PurePath(path)) is counts
    home = Path("/srv/app")
    assert (
        file_filter.first_match(home, [Path("/srv/other/x"), home / path]) is not None
    ) is counts
    assert file_filter.first_match(home, [home]) == home


def write(path: Path) -> None:
    path.write_text("#!/bin/sh\n# changed\n")


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def exchange(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.replace(path)


def turn(path: Path) -> None:
    target = path.with_name("target")
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize("change", [write, touch, exchange, turn])
def test_a_change_counts_when_it_has_come_to_rest(
    home: Path, change: Callable[[Path], None]
) -> None:
    path = home / "run"
    program = WatchedProgram(ReloaderSettings(), {path: fingerprint(path)})
    assert program.changed_file(0.0) is None
    change(path)
    assert [program.changed_file(0.0), program.changed_file(0.0)] == [None, path]
    program.accept(0.0)
    assert program.changed_file(0.0) is None


def test_one_that_is_still_written_or_missing_is_waited_for(home: Path) -> None:
    path = home / "run"
    program = WatchedProgram(ReloaderSettings(), {path: fingerprint(path)})
    for length in range(20, 25):
        path.write_text("x" * length)
        assert program.changed_file(0.0) is None
    path.unlink()
    assert [program.changed_file(0.0), program.changed_file(0.0)] == [None, None]
    path.write_text("new")
    assert [program.changed_file(0.0), program.changed_file(0.0)] == [None, path]


def test_a_directory_counts_when_it_has_come_to_rest() -> None:
    path = Path("/srv/app/a.py")
    program = WatchedProgram(ReloaderSettings(settle=0.5), {}, touched=path, touched_at=10.0)
    assert [program.changed_file(10.4), program.changed_file(10.5)] == [None, path]
    program.touched_at = 11.0
    program.accept(11.0)
    assert [program.changed_file(11.0), program.changed_file(12.0)] == [None, path]
    program.accept(12.0)
    assert program.changed_file(13.0) is None


def test_a_watcher_has_options_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    own = {
        "command_reloader.paths": "src 'my dir'",
        "command_reloader.action": "restart",
        "command_reloader.active": "perhaps",
        "command_reloader.loop_rate": "9",
        "cmd": "x",
    }
    settings = ReloaderSettings(patterns=("*.py",)).of_watcher(own, "web")
    assert settings == ReloaderSettings(
        patterns=("*.py",), paths=("src", "my dir"), action="restart"
    )
    assert "command_reloader.active isn't" in caplog.text
