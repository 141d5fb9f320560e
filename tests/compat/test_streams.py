"""Stream classes in the shapes that public ones have."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.compat.conftest import Library
from tests.programs import wait_until

pytestmark = pytest.mark.live

SECTION = """
[watcher:web]
cmd = sh -c 'while :; do echo hello; sleep 0.2; done'
copy_env = True
graceful_timeout = 1
{options}
[env:web]
PYTHONPATH = {folder}
"""

SHAPES = {
    "a class with a constructor and options of its own": (
        """
        from circus.stream import FileStream
        class Mine(FileStream):
            def __init__(self, label="none", **kwargs):
                super().__init__(**kwargs)
                self.label = label
            def __call__(self, data):
                data["data"] = self.label.encode() + b": " + data["data"]
                super().__call__(data)
        """,
        "class = my_stream.Mine\nfilename = {folder}/out\nlabel = mine",
        "mine: hello",
    ),
    "a plain class": (
        """
        class Mine:
            def __init__(self, **kwargs):
                self.path = kwargs["path"]
            def __call__(self, data):
                with open(self.path, "ab") as file:
                    file.write(data["name"].encode() + b" " + data["data"])
            def close(self):
                pass
        """,
        "class = my_stream.Mine\npath = {folder}/out",
        "stdout hello",
    ),
    "a queue": (
        """
        import threading
        from circus.stream import QueueStream
        class Mine(QueueStream):
            def __init__(self, out=None, **kwargs):
                super().__init__(**kwargs)
                self.out = out
                threading.Thread(target=self.drain, daemon=True).start()
            def drain(self):
                while True:
                    data = self.get()
                    with open(self.out, "ab") as file:
                        file.write(b"queued " + data["data"])
        """,
        "class = my_stream.Mine\nout = {folder}/out",
        "queued hello",
    ),
    "a dotted name of the package": (
        "",
        "class = circus.stream.FileStream\nfilename = {folder}/out",
        "hello",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stream(library: Library, folder: Path, shape: str) -> None:
    text, options, line = SHAPES[shape]
    (folder / "my_stream.py").write_text(textwrap.dedent(text))
    keyed = "\n".join(
        f"stdout_stream.{each}" for each in options.format(folder=folder).splitlines()
    )
    sections = SECTION.format(folder=folder, options=keyed)
    here = {**library.environment}
    here["PYTHONPATH"] = f"{folder}:{here.get('PYTHONPATH', '')}"
    inside = Library(library.name, library.python, here)
    out = folder / "out"
    with inside.daemon(folder, sections) as log:
        try:
            wait_until(lambda: out.exists() and out.read_text().startswith(line))
        except AssertionError:
            raise AssertionError(log.read_text()) from None
