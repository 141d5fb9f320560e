"""``python -m tests.soak``: ten minutes of troubles, and whether all is well after them."""

from __future__ import annotations

import argparse
import random
import sys

from tests.soak.soak import soak


def main() -> int:
    """Let a daemon have everything at once, and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (600)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the same troubles")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    print(f"--seed {seed}", flush=True)
    report = soak(options.seconds, seed)
    print(report)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
