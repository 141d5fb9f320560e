"""The keeper's program has nothing but the standard library, so there is little to break it."""

from __future__ import annotations

import subprocess
import sys

_TELL = (
    "import sys; import cvec_circus_core.keeper.__main__; "
    "ours = ('cvec_circus_core', *sys.stdlib_module_names); "
    "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
    "print(sorted(new.difference(ours)))"
)


def test_the_keeper_needs_no_package_of_others() -> None:
    program = f"import sys; before = set(sys.modules); {_TELL}"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (told.stdout, told.stderr) == ("[]\n", "")


def test_it_runs_no_thread_of_its_own() -> None:
    program = "import cvec_circus_core.keeper.__main__, threading; print(threading.active_count())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout == "1\n"
