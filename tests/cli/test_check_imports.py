"""circusd --check imports hooks, streams and plugins, without being harmed or held up by them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

CIRCUSD = Path(sys.prefix) / "bin" / "circusd"
GOOD = """
from circus.plugins import CircusPlugin

class Stream:
    def __init__(self, colour="red", **config): ...
    def __call__(self, data): ...

class Picky(Stream):
    def __init__(self, *, colour): ...

class Reader(Stream):
    def __init__(self, **config):
        self.path = config["path"]
        config.get("other")

class Plugin(CircusPlugin):
    def handle_recv(self, data): ...

class Needy(CircusPlugin):
    def __init__(self, endpoint, pubsub_endpoint, check_delay, ssh_server, url, **config): ...

class Older(CircusPlugin):
    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.url = config["url"]
        self.port = int(config.pop("port"))
        self.host = config.get("host", "localhost")
        self.user = config["user"] if "user" in config else None

class Defaults(CircusPlugin):
    def __init__(self, *args, **config):
        config.setdefault("url", "x")
        self.url = config["url"]
        super().__init__(*args, **config)

class NoPlugin: ...

def hook(watcher, arbiter, hook_name, **kwargs): ...

number = 3
"""
MODULES = {
    "broken": "def broken(:",
    "needs": "import a_module_that_is_not_there",
    "raises": "raise RuntimeError('no licence')",
    "leaves": "import sys; sys.exit(3)",
    "ends": "import os; os._exit(0)",
    "kills": "import os; os.kill(os.getpid(), 9)",
    "hangs": "import threading; threading.Event().wait()",
    "starts": "import subprocess; subprocess.run(['sleep', '98765'])",
    "prints": "import sys; print('noise'); sys.stderr.write('noise'); sys.stdin.read()",
    "who": "import os; open(os.environ['WHO'], 'w').write(f'{os.getuid()} {os.getcwd()}')",
}
NAMES = "\nfrom good import Plugin, Stream, hook\n"
HOOK = "[watcher:NAME]\ncmd = sleep 9\nhooks.before_start = {}"
STREAM = "[watcher:NAME]\ncmd = sleep 9\nstdout_stream.class = {}"
PLUGIN = "[plugin:NAME]\npriority = 1\nuse = {}"


class Case(NamedTuple):
    """A section, and what is said of its last line but those of options; nothing for a good one."""

    section: str
    told: str = ""
    is_mistake: bool = True


BAD_IMPORT = "can not be imported: "
CASES = [
    Case(HOOK.format("good.hook")),
    Case(HOOK.format("prints.hook")),
    Case(HOOK.format("broken.hook"), f"{BAD_IMPORT}SyntaxError"),
    Case(HOOK.format("needs.hook"), "No module named 'a_module_that_is_not_there'"),
    Case(HOOK.format("raises.hook"), f"{BAD_IMPORT}RuntimeError: no licence"),
    Case(HOOK.format("raises.hook, true"), f"{BAD_IMPORT}RuntimeError: no licence", False),
    Case(HOOK.format("leaves.hook"), f"{BAD_IMPORT}SystemExit: 3"),
    Case(HOOK.format("ends.hook"), "ends the process that imports it"),
    Case(HOOK.format("kills.hook"), "ends the process that imports it"),
    Case(HOOK.format("good.number"), "can not be called: good.number can not be called"),
    Case(HOOK.format("missing.hook"), "can not be called: missing is not found", False),
    Case(STREAM.format("good.Stream")),
    Case(STREAM.format("good.Stream") + "\nstdout_stream.any = x"),
    Case(STREAM.format("good.Picky"), "Picky needs the option colour"),
    Case(STREAM.format("good.Picky") + "\nstdout_stream.colour = red"),
    Case(STREAM.format("good.Reader"), "reads the option path, which is not there", False),
    Case(STREAM.format("good.Reader") + "\nstdout_stream.path = x"),
    Case(STREAM.format("raises.Stream"), f"raises.Stream {BAD_IMPORT}no licence"),
    Case(STREAM.format("ends.Stream"), "ends the process that imports it"),
    Case(STREAM.format("good.number"), "good.number can not be used"),
    Case(PLUGIN.format("good.Plugin")),
    Case(PLUGIN.format("good.Plugin") + "\nany = x"),
    Case(PLUGIN.format("good.Defaults")),
    Case(PLUGIN.format("good.Needy"), "needs the option url, which is not there"),
    Case(PLUGIN.format("good.Needy") + "\nurl = x"),
    Case(PLUGIN.format("good.Older"), "reads the option url, which is not there", False),
    Case(PLUGIN.format("good.Older") + "\nurl = x", "reads the option port, which is", False),
    Case(PLUGIN.format("good.Older") + "\nurl = x\nport = 1"),
    Case(PLUGIN.format("good.NoPlugin"), "good.NoPlugin is not a CircusPlugin"),
    Case(PLUGIN.format("broken.Plugin"), "module broken fails (SyntaxError"),
    Case(PLUGIN.format("needs.Plugin"), "module needs needs a_module_that_is_not_there"),
    Case(PLUGIN.format("leaves.Plugin"), f"{BAD_IMPORT}SystemExit: 3"),
    Case(PLUGIN.format("ends.Plugin"), "ends the process that imports it"),
    Case(PLUGIN.format("ends.Plugin") + "\nactive = no"),
    # The last of all: each takes as long as an import may.
    Case(HOOK.format("hangs.hook") + "\nhooks.after_stop = raises.hook", "has not been imp", False),
    Case(PLUGIN.format("starts.Plugin"), "has not been imported in 10 s", False),
]


def write_modules(folder: Path) -> None:
    """Write all that is imported."""
    (folder / "good.py").write_text(GOOD)
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text + NAMES)


def check(folder: Path, sections: str) -> tuple[int, str]:
    """Return the exit code and what is said of a file with these sections."""
    ends = f"endpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
    (folder / "circus.ini").write_text(f"[circus]\n{ends}{sections}\n")
    done = subprocess.run(
        [CIRCUSD, "--check", "circus.ini"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr
    assert "noise" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is said of one file with the sections of all cases."""
    folder = tmp_path_factory.mktemp("check")
    write_modules(folder)
    sections = [case.section.replace("NAME", f"n{number}") for number, case in enumerate(CASES)]
    code, text = check(folder, "\n".join(sections))
    assert code == 1
    return text.splitlines()


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.section for case in CASES])
def test_what_can_not_be_imported_is_told_with_its_line(said: list[str], number: int) -> None:
    case = CASES[number]
    lines = [line for line in said if f":n{number}] " in line]
    assert bool(lines) is bool(case.told), lines
    if case.told:
        before = "\n".join(["", "", ""] + [each.section for each in CASES[:number]])
        line_number = before.count("\n") + 4
        kind = "error" if case.is_mistake else "warning"
        key, value = case.section.splitlines()[2].split(" = ")
        section = case.section.splitlines()[0].replace("NAME", f"n{number}")
        start = f"{kind}: circus.ini:{line_number}: {section} {key} = {value}: "
        told = [line for line in lines if case.told in line]
        assert told, lines
        assert told[0].startswith(start), told


def test_what_comes_after_one_that_hangs_is_looked_at(said: list[str]) -> None:
    assert any("hooks.after_stop = raises.hook: can not be imported" in line for line in said)


def test_what_an_import_has_started_is_ended(said: list[str]) -> None:
    del said
    done = subprocess.run(["pgrep", "-f", "^sleep 98765$"], capture_output=True, text=True)
    assert not done.stdout


def test_a_plugin_is_imported_as_the_account_in_the_folder_and_path_of_its_section(
    tmp_path: Path,
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    write_modules(place)
    (tmp_path / "told").touch()
    for path in (tmp_path / "told", place):
        path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and "pytest-of" in str(parent):
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    code, text = check(
        tmp_path,
        "[watcher:web]\ncmd = sleep 9\n[plugin:x]\nuse = who.Plugin\n"
        f"env = WHO={tmp_path}/told,PYTHONPATH={place}\nworking_dir = {place}\n"
        + ("uid = 65534\ngid = 65534\n" if os.getuid() == 0 else ""),
    )
    assert code == 0, text
    uid = 65534 if os.getuid() == 0 else os.getuid()
    assert (tmp_path / "told").read_text() == f"{uid} {place}"
