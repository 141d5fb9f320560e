"""Start the command, as ``python -m tests.benchmarks`` or as ``python tests/benchmarks``."""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.benchmarks.command import main

sys.exit(main())
