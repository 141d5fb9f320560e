"""Runs a sample: its files in a folder of their own, and what its processes have written down."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.programs import Control, Environment, wait_until

HERE = Environment(Path(sys.prefix))
SAMPLES = Path(__file__).parent / "samples"
WITNESS = Path(__file__).parent / "witness.py"
NOISE = frozenset(
    (
        *("SUPERVISOR_ENABLED", "SUPERVISOR_GROUP_NAME", "SUPERVISOR_PROCESS_NAME"),
        *("SUPERVISOR_SERVER_URL", "HONCHO_PROCESS_NAME", "PYTHONUNBUFFERED"),
        *("NOTIFY_SOCKET", "PWD", "OLDPWD", "SHLVL", "_"),
    )
)
"""Variables by which each tool speaks of itself, and those of shells."""


def samples(kind: str) -> list[str]:
    """Return the names of the samples of a kind."""
    return sorted(path.name for path in (SAMPLES / kind).iterdir())


def prepared(kind: str, name: str, folder: Path) -> Path:
    """Copy a sample into the folder, with its paths, and return the file to import."""
    for source in (path for path in (SAMPLES / kind / name).rglob("*") if path.is_file()):
        target = folder / source.relative_to(SAMPLES / kind / name)
        _copy(source, target, folder)
    for each in ("records", "logs", "shop"):
        (folder / each).mkdir(exist_ok=True)
    _copy(WITNESS, folder / "witness", folder)
    (folder / "witness").chmod(0o755)
    return folder / imported_file(kind, name)


def imported_file(kind: str, name: str) -> str:
    """Return the name of the file of a sample that is imported."""
    files = [path.name for path in (SAMPLES / kind / name).iterdir() if path.is_file()]
    others = ("app.js", "witness.py", ".env")
    (file,) = [
        file for file in files if file not in others and not file.endswith((".socket", ".env"))
    ]
    return file


def _copy(source: Path, target: Path, folder: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8")
    text = text.replace("@HERE@", str(folder)).replace("@PYTHON@", sys.executable)
    target.write_text(text, encoding="utf-8")


def imported(file: Path) -> tuple[Path, list[str]]:
    """Import a file; return the ini file, and what could not be carried over."""
    target = file.parent / "imported.ini"
    target.unlink(missing_ok=True)
    done = HERE.run("circusctl", "--json", "import", str(file), "-o", str(target))
    assert done.returncode == 0, done.stderr
    checked = HERE.run("circusd", "--check", str(target))
    assert (checked.returncode, checked.stderr) == (0, ""), target.read_text(encoding="utf-8")
    lost: list[str] = json.loads(done.stdout)["lost"]
    return target, lost


@contextmanager
def circusd(ini: Path) -> Iterator[Control]:
    """Run an imported file, with endpoints of its own."""
    folder = ini.parent
    shutil.rmtree(folder / "records")
    (folder / "records").mkdir()
    main = folder / "main.ini"
    main.write_text(
        f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
        f"logoutput = -\npidfile = {folder}/circusd.pid\ninclude = {ini.name}\n",
        encoding="utf-8",
    )
    control = Control(HERE, f"ipc://{folder}/c")
    log = folder / "circusd.log"
    with HERE.running("circusd", str(main), log=log, cwd=folder) as daemon:
        control.wait_for("ok", "--wait-for-daemon", "--json", "numwatchers")
        yield control
        assert control("quit", "--waiting")[0] == 0, log.read_text(encoding="utf-8")
        assert daemon.wait(timeout=20) == 0


Record = dict[str, Any]


def records(folder: Path) -> list[Record]:
    """Return what every witness has written down, dead or alive."""
    files = [path for path in (folder / "records").iterdir() if path.suffix != ".new"]
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def started(folder: Path, besides: Collection[str] = ()) -> Counter[str]:
    """Return what has been started, as far as two tools can agree: one text for a process.

    ``besides`` are variables that are left out, too.
    """
    texts = []
    for record in records(folder):
        record["env"] = {
            name: value
            for name, value in record["env"].items()
            if name not in NOISE and name not in besides
        }
        del record["pid"]
        texts.append(json.dumps(record, sort_keys=True))
    return Counter(texts)


def alive(folder: Path) -> list[Record]:
    """Return the records of those that live."""
    return [record for record in records(folder) if _is_alive(record["pid"])]


def _is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def kill_all(folder: Path) -> set[int]:
    """Kill every witness that lives, wait until all are dead, and return who they were."""
    victims = [record["pid"] for record in alive(folder)]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(_is_alive, victims)))
    return set(victims)


def commands(found: list[Record]) -> list[list[str]]:
    """Return what processes were called with, sorted."""
    return sorted(record["argv"] for record in found)
