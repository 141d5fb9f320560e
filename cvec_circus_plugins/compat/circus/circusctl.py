"""The command line."""

import sys
from typing import NoReturn

from cvec_circus_cli.circusctl import main as _main

__all__ = ["main"]


def main() -> NoReturn:
    """Do what the words of the command line say. Raises `SystemExit` at its end."""
    sys.exit(_main())


if __name__ == "__main__":
    main()
