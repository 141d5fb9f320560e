"""A hook that tells which modules the daemon has imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def tell(watcher: Any, arbiter: Any, hook_name: str, **facts: Any) -> bool:
    """Write the names of all modules to the file that the watcher's option names."""
    file = Path(watcher.spec.extra["hook_file"] if hasattr(watcher, "spec") else watcher.hook_file)
    part = file.with_suffix(".part")
    part.write_text("\n".join(sorted(sys.modules)))
    part.rename(file)
    return True
