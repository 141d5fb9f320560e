"""Fuzz everything for some time, and tell how it went."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.running import HAS_ATHERIS, guided
from tests.fuzz.targets import TARGETS
from tests.fuzz.wire import attack

WIRE = "wire"


def main() -> int:
    """Return 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together")
    parser.add_argument("--seed", type=int, default=None, help="repeat the same attacks")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS, WIRE], help="default: all")
    given = parser.parse_args()
    targets = given.targets or [*TARGETS, WIRE]
    share = given.seconds / len(targets)
    kept = Path(tempfile.gettempdir()) / "circus-fuzz"
    bad = []
    for target in targets:
        if target == WIRE:
            good = attack(share, given.seed, say=print)
        elif not HAS_ATHERIS:
            print(f"{target}: left out, because atheris is not installed")
            continue
        else:
            good = guided(target, share, kept / target, say=print)
        if not good:
            bad.append(target)
    print(f"found something: {', '.join(bad)}" if bad else "found nothing")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
