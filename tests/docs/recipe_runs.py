"""Sets up a recipe of docs/examples/recipes in a folder of its own, and runs it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import Control, Environment

HERE = Environment(Path(sys.prefix))
RECIPES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples" / "recipes"


def set_up(recipe: str, folder: Path, **replacements: object) -> None:
    """Copy a recipe, with the folders and whatever else has to differ here."""
    texts = {
        "/srv/shop/.venv": sys.prefix,
        "/opt/circus": sys.prefix,
        "/srv/shop": str(folder),
        "tcp://127.0.0.1:5555": f"ipc://{folder}/c",
        **{old: str(new) for old, new in replacements.items()},
    }
    shutil.copytree(RECIPES / recipe, folder, dirs_exist_ok=True)
    for file in (path for path in folder.rglob("*") if path.is_file()):
        text = file.read_text(encoding="utf-8")
        for old, new in texts.items():
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")


@contextmanager
def running(folder: Path, configuration: str) -> Iterator[Control]:
    """Run a configuration of the folder, with endpoints of its own."""
    main = folder / "main.ini"
    main.write_text(
        f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
        f"include = {configuration}\n",
        encoding="utf-8",
    )
    log = folder / "circusd.log"
    control = Control(HERE, f"ipc://{folder}/c")
    with HERE.running("circusd", str(main), log=log, cwd=folder) as daemon:
        assert control("--wait-for-daemon", "--timeout", "30", "numwatchers")[0] == 0, log
        yield control
        assert control("quit", "--waiting")[0] == 0, log.read_text(encoding="utf-8")
        assert daemon.wait(timeout=30) == 0, log.read_text(encoding="utf-8")
