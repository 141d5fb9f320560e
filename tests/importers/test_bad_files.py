"""A file that can not be imported is refused in one sentence that says where and why."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from tests.programs import Environment

HERE = Environment(Path(sys.prefix))

BAD = [
    ("supervisord.conf", "command = x\n", "line 1", "'command = x' stands before"),
    ("supervisord.conf", "[program:a]\nnonsense\n", "line 2", "is neither a [section] nor"),
    ("supervisord.conf", "[program:a]\ndirectory = /\n", "line 1", "[program:a] has no command"),
    ("supervisord.conf", "[program:a]\ncommand = x 'y\n", "line 2", "command can not be split"),
    ("supervisord.conf", "[program:a]\ncommand = %(nope)s\n", "line 2", "has %(nope), which"),
    ("supervisord.conf", "[program:a]\ncommand = x %z\n", "line 2", "can not be expanded"),
    ("supervisord.conf", "[program:a]\ncommand=x\nnumprocs=x\n", "line 3", "numprocs is no whole"),
    ("supervisord.conf", "[program:a]\ncommand=x\nautostart=x\n", "line 3", "neither true nor"),
    ("supervisord.conf", "[program:a]\ncommand=x\npriority=x\n", "line 3", "priority is no number"),
    ("supervisord.conf", "[program:a]\ncommand=x\nenvironment=A\n", "line 3", "has 'A', which is"),
    (
        "supervisord.conf",
        "[fcgi-program:a]\ncommand=x\nsocket=x\n",
        "line 3",
        "unix:///PATH or tcp",
    ),
    ("supervisord.conf", "[include]\nfiles=%(x)s\n[supervisord]\n", "line 2", "files has %(x)"),
    ("Procfile", "web\n", "line 1", "'web' is not NAME: COMMAND"),
    ("Procfile", "# nothing\n", "Procfile", "names no process"),
    ("ecosystem.config.json", '{"apps": [}', "line 1", "can not be read"),
    ("ecosystem.config.json", '{"apps": []}', "ecosystem", "has no list of apps"),
    ("ecosystem.config.json", '{"apps": [{"name": "x"}]}', "apps[0].script", "is missing"),
    ("ecosystem.config.json", '{"apps": [3]}', "apps[0]", "is no object: 3"),
    ("ecosystem.json", '{"apps":[{"script":"x",\n"kill_timeout":"y"}]}', "line 2", "is no number"),
    ("ecosystem.json", '{"apps":[{"script":"x",\n"instances":"y"}]}', "line 2", "nor max: 'y'"),
    ("ecosystem.json", '{"apps":[{"script":"x",\n"args":"\'"}]}', "line 2", "can not be split"),
    ("ecosystem.json", '{"apps":[{"script":"x",\n"env":{"A":[]}}]}', "apps[0].env.A", "no text"),
    ("ecosystem.config.js", "module.exports = { apps: [ ", "node has to read", "SyntaxError"),
    ("a.service", "ExecStart=x\n", "line 1", "stands before the first [Section]"),
    ("a.service", "[Service]\nnonsense\n", "line 2", "is no Key=Value"),
    ("a.service", "[Service]\nUser=x\n", "a.service", "has no ExecStart"),
    ("a.service", "[Service]\nExecStart=x 'y\n", "line 2", "a quote that is not closed"),
    ("a.service", "[Service]\nExecStart=x\nRestart=maybe\n", "line 3", "is no way to restart"),
    (
        "a.service",
        "[Service]\nExecStart=x\nRestartSec=5q\n",
        "line 3",
        "a unit that is not known: q",
    ),
    ("a.service", "[Service]\nExecStart=x\nRestartSec=soon\n", "line 3", "is no time: 'soon'"),
    ("a.service", "[Service]\nExecStart=x\nEnvironment=A\n", "line 3", "has 'A', which is no"),
    ("p.yaml", "processes:\n  a: {command: x\n", "line 3", "can not be read"),
    ("p.yaml", "processes: {}\n", "p.yaml", "has no processes"),
    ("p.yaml", "processes:\n  a: {}\n", "processes.a.command", "is missing"),
    ("p.yaml", "processes:\n  a: hello\n", "processes.a", "is no object: 'hello'"),
    ("p.yaml", "processes:\n  a:\n    command: x\n    replicas: y\n", "line 4", "is no number"),
    ("p.yaml", "processes:\n  a:\n    command: x\n    disabled: y\n", "line 4", "neither true"),
    ("p.yaml", "processes:\n  a:\n    command: x\n    environment: y\n", "line 4", "is no list"),
    (
        "p.yaml",
        "processes:\n  a:\n    command: x\n    depends_on:\n      b: {}\n",
        "line 4",
        "names 'b', which is no process",
    ),
    (
        "p.yaml",
        "processes: {a: {command: x, depends_on: {b: {}}}, b: {command: x, depends_on: {a: {}}}}\n",
        "depends_on",
        "goes round in a circle: a -> b -> a",
    ),
    (
        "p.yaml",
        "processes:\n  a:\n    command: x\n    availability: {restart: sometimes}\n",
        "line 4",
        "is no way to restart: 'sometimes'",
    ),
    ("p.yaml", "processes:\n  a:\n    command: x\n    replicas: .nan\n", "line 4", "can be used"),
    ("p.yaml", "processes:\n  a:\n    command: x\n    replicas: -1\n", "line 4", "can be used"),
    ("p.yaml", 'processes:\n  a:\n    command: "\\0"\n', "p.yaml", "no ini file can hold"),
    ("a.service", '[Service]\nExecStart=""\n', "line 2", "names no program"),
    ("nothing.txt", "hello\n", "nothing.txt", "add --kind with one of pm2, process-compose"),
]


@pytest.mark.parametrize(("name", "text", "where", "why"), BAD)
def test_it_is_refused(name: str, text: str, where: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    target = tmp_path / "out.ini"
    done = HERE.run("circusctl", "import", str(file), "-o", str(target))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert str(file) in line
    assert where in line
    assert why in line
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("missing.conf",), "missing.conf is not there"),
        (("/dev/zero",), "/dev/zero is no file"),
        (("--kind", "upstart", __file__), "--kind is one of"),
        ((), "FILE"),
    ],
)
def test_wrong_words_are_refused(words: tuple[str, ...], why: str) -> None:
    done = HERE.run("circusctl", "import", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "supervisord.conf"
    file.write_bytes(b"[supervisord]\n\xff")
    done = HERE.run("circusctl", "import", str(file))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is not in UTF-8" in done.stderr


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: sleep 1\n", encoding="utf-8")
    target = tmp_path / "circus.ini"
    target.write_text("mine", encoding="utf-8")
    done = HERE.run("circusctl", "import", str(file), "-o", str(target))
    assert done.returncode == 2
    assert "is already there, and is left as it is" in done.stderr
    assert target.read_text(encoding="utf-8") == "mine"


def test_without_a_file_it_goes_to_standard_output_and_the_summary_does_not(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: sleep 1\n", encoding="utf-8")
    done = HERE.run("circusctl", "import", str(file))
    assert done.returncode == 0
    assert "[watcher:web]" in done.stdout
    assert done.stderr == f"{file}: 1 watcher; everything was carried over\n"


def test_the_start_of_circusctl_does_not_load_importers() -> None:
    code = (
        "import sys; from cvec_circus_cli.circusctl import main; main(['--version'])\n"
        "names = ('yaml', 'dotenv', 'configparser', 'cvec_circus_plugins.importers')\n"
        "sys.exit([name for name in names if name in sys.modules] or 0)"
    )
    done = HERE.run("python", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_mode_of_what_is_written_follows_what_was_read(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: sleep 1\n", encoding="utf-8")
    file.chmod(0o640)
    target = tmp_path / "circus.ini"
    assert HERE.run("circusctl", "import", str(file), "-o", str(target)).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
