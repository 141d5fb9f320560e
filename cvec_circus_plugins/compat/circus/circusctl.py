"""The command line."""

from cvec_circus_cli.circusctl import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
