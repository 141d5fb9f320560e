"""What is told of installed packages: whose a thing is, and what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n"
ENTRY_POINTS = """\
[cvec_circus.commands]
broken = nothing_like_this:Command
add = json:JSONDecoder

[cvec_circus.plugins]
lazy = json.nothing_like_this:Plugin
missing = nothing_like_this:Plugin
"""
CODE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import cvec_circus_plugins.flapping
from cvec_circus_core.api import extensions
print(json.dumps([
    [one.group, one.name, one.distribution, one.version, one.state, one.reason]
    for one in extensions()
]))
"""


def test_packages_good_and_broken(tmp_path: Path) -> None:
    folder = tmp_path / "thing-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA.format(name="thing"), encoding="utf-8")
    (folder / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    words = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = {(group, name, dist): rest for group, name, dist, *rest in json.loads(done.stdout)}
    assert told["commands", "broken", "thing"] == [
        "1.5",
        "failed",
        "ModuleNotFoundError: No module named 'nothing_like_this'",
    ]
    assert told["commands", "add", "thing"][1:] == [
        "failed",
        "cvec-circus has brought this name already",
    ]
    assert told["commands", "add", "cvec-circus"][1:] == ["loaded", None]
    assert told["plugins", "lazy", "thing"][1:] == ["installed", None]
    assert told["plugins", "missing", "thing"][1:] == [
        "failed",
        "ModuleNotFoundError: No module named 'nothing_like_this'",
    ]
    assert told["plugins", "flapping", "cvec-circus"][1:] == ["loaded", None]
    assert told["plugins", "statsd_emitter", "cvec-circus"][1:] == ["installed", None]
    assert not any(group == "older_names" for group, _, _ in told)
