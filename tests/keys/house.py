"""A daemon whose workers write down what they find, in a folder that every user may enter."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.live.daemon import BIN, ROOT, Daemon, until

WITNESS = Path(__file__).with_name("witness.sh")


class House(Daemon):
    """A daemon that tells little and has a file as its standard input."""

    def __init__(self, circus: str = "") -> None:
        super().__init__("", circus=circus)
        self.folder.chmod(0o1777)
        (self.folder / "witness.sh").write_text(WITNESS.read_text())
        (self.folder / "stdin").touch()

    def fill(self, text: str) -> str:
        """Write the house's own paths into a text."""
        return text.replace("WITNESS", f"sh {self.folder}/witness.sh {self.folder}").replace(
            "HOUSE", str(self.folder)
        )

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it without any flags, with a mark that its children can be known by."""
        with (self.folder / "out").open("ab") as out, (self.folder / "stdin").open("rb") as stdin:
            self._process = subprocess.Popen(
                [BIN / "circusd", *self.flags, str(self.file)],
                cwd=ROOT,
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LIVE_TEST_MARK": self.mark, **environment},
            )
        return self._process

    def start(self, **environment: str) -> House:
        """Start it, and wait until it answers."""
        process = self.launch(**environment)
        self.ok("list")
        assert process.poll() is None
        return self

    def facts(self, name: str) -> Mapping[str, str]:
        """Return what a worker has found, once it has written that down."""
        file = self.folder / name
        until(file.exists)
        lines = file.read_text().splitlines()
        return {key: value for key, _, value in (line.partition("=") for line in lines)}

    def account(self) -> None:
        """Check what has to be so at its end."""
        assert self.stop() == 0, self.text()[-3000:]
        assert "Traceback" not in self.text()
        assert not self.alive()
