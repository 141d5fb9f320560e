"""One target under atheris, in a process of its own: the target's name, and libFuzzer's options."""

from __future__ import annotations

import os
import sys

import atheris

with atheris.instrument_imports(include=["cvec_circus_core", "cvec_circus_plugins", "tests.fuzz"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer says that it is enough.

    The peak of memory that libFuzzer bounds is the kernel's count, which a program inherits from
    whoever started it. A child of our own begins with a count of its own.
    """
    child = os.fork()
    if child:
        sys.exit(abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
