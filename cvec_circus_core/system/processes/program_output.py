"""What a program prints, for tools that ask another one: run to its end, with a limit.

Not for the daemon: the caller waits.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.text import escaped


def program_output(words: Sequence[str], limit: float) -> str:
    """Run a program and return what it has printed.

    Raises SystemProblem where it can not be run, fails, or needs longer than ``limit`` seconds.
    """
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False
        )
    except FileNotFoundError:
        raise SystemProblem(f"the program {words[0]} is not installed") from None
    except OSError as error:
        raise SystemProblem(f"{words[0]} can not be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise SystemProblem(f"{words[0]} has not ended after {limit:g} s") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip()
        raise SystemProblem(f"{words[0]} has failed: {escaped(_reason(complaint))}")
    return done.stdout.decode(errors="replace")


def _reason(complaint: str) -> str:
    lines = [line.strip() for line in complaint.split("\n") if line.strip()]
    return next((line for line in lines if "Error" in line), lines[-1] if lines else "no reason")
