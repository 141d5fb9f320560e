"""Runs a public program on cvec-circus-compat and, as control, on the release that it requires.

    python -m tests.compat.dependants aiida
    python -m tests.compat.dependants bentoml
    python -m tests.compat.dependants aiida-tests --repository FOLDER

Prints each step on either side; fails where one works on the older release and not on ours. It
installs from PyPI and takes minutes. FOLDER is a clone of https://github.com/aiidateam/aiida-core,
or a git directory of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.compat.dependants import aiida, aiida_tests, bentoml
from tests.compat.dependants.installed import SIDES

PROGRAMS: dict[str, Callable[[str], set[str]]] = {"aiida": aiida.check, "bentoml": bentoml.check}


def main() -> int:
    """Run one program on both sides."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("program", choices=[*PROGRAMS, "aiida-tests"])
    parser.add_argument("--only", choices=SIDES, help="leave the other side out")
    parser.add_argument("--repository", type=Path, help="aiida-core's, for its own tests")
    args = parser.parse_args()
    if args.program == "aiida-tests" and args.repository is None:
        parser.error("aiida-tests needs --repository")
    check = PROGRAMS.get(args.program) or partial(aiida_tests.check, args.repository)
    failed = {side: check(side) for side in SIDES if args.only in (None, side)}
    only_ours = failed.get("compat", set()) - failed.get("older", set())
    print(f"fails on ours alone: {', '.join(sorted(only_ours)) or 'nothing'}")
    return 1 if only_ours else 0


if __name__ == "__main__":
    sys.exit(main())
