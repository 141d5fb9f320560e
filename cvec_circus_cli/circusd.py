"""circusd: run the daemon.

Exit codes: 0 it ended as it was told to, 1 it could not start or run, or the file has mistakes,
2 wrong use of the command line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

import cvec_circus_core.daemon.lazy_modules as postponed  # before anything brings what it postpones
from cvec_circus_cli import older_names
from cvec_circus_core.api import BadConfig, CircusError, __version__, open_missing_streams, visible
from cvec_circus_core.daemon.config_source import Flags, read
from cvec_circus_core.daemon.main import OK, finish, run

FAILED = 1
_USUAL_WIDTH = 80
_AGAIN = (sys.executable, "-P", "-m", "cvec_circus_cli.circusd")

_EPILOG = """\
examples:
  circusd app.ini                     run what app.ini says; Ctrl-C stops it
  circusd --check app.ini             tell every mistake in app.ini, and start nothing
  circusd --daemon --pidfile /run/app.pid app.ini
                                      run in the background; returns once it is ready

While it runs, drive it with circusctl: `circusctl status`, `circusctl --help`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run circusd and return its exit code."""
    open_missing_streams()
    postponed.all_loaded()
    parser = _parser()
    words = sys.argv[1:] if arguments is None else list(arguments)
    args = parser.parse_args(words)
    if not words:
        parser.print_usage()
        return OK
    if not args.config:
        parser.error("which configuration file? give its path")
    older_names.install()
    flags = _flags(args)
    try:
        if args.check:
            return _check(flags)
        if args.kept:
            # What speaks with a keeper is not small, and most daemons have none.
            return finish(import_module("cvec_circus_core.daemon.kept").run_kept(flags))
        return run(flags, read(flags, os.environ), (*_AGAIN, *words, "--kept"))
    except BadConfig as error:
        return _refuse(error, flags, is_check=args.check)
    except CircusError as error:
        return _say(f"circusd: {error}")


def _flags(args: argparse.Namespace) -> Flags:
    return Flags.entered(
        args.config,
        os.environ,
        skip_bad=args.skip_bad,
        background=args.daemon,
        pidfile=args.pidfile,
        loglevel=args.log_level,
        logoutput=args.log_output,
        loggerconfig=args.logger_config,
    )


def _check(flags: Flags) -> int:
    loaded = read(flags, os.environ, thoroughly=True)
    _warn(loaded.warnings)
    print(f"{flags.config} is good: {_counted(len(loaded.watchers), 'watcher')}")
    return OK


def _refuse(error: BadConfig, flags: Flags, *, is_check: bool) -> int:
    _warn(error.warnings)
    for problem in error.problems:
        print(f"error: {problem}", file=sys.stderr)
    mistakes = _counted(len(error.problems), "mistake")
    if is_check:
        return _say(f"circusd: {mistakes}")
    helps = not flags.skip_bad and error.is_skippable
    hint = " (--skip-bad leaves bad watchers and sockets out)" if helps else ""
    return _say(f"circusd: {mistakes}, nothing was started{hint}")


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _warn(warnings: Iterable[object]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _say(sentence: str) -> int:
    print(visible(sentence), file=sys.stderr)
    return FAILED


class _Page(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal. argparse would ask shutil, which brings every compressor."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circusd",
        description="Run, watch and restart the processes that a configuration file names.",
        epilog=_EPILOG,
        formatter_class=_Page,
    )
    parser.add_argument("config", nargs="?", help="configuration file")
    parser.add_argument("--check", action="store_true", help="only tell whether the file is good")
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave bad watchers and sockets out, and run the others",
    )
    parser.add_argument("--daemon", action="store_true", help="run in the background")
    parser.add_argument("--pidfile", metavar="FILE", help="file that holds the daemon's pid")
    parser.add_argument(
        "--log-level",
        type=str.lower,
        choices=("critical", "error", "warning", "info", "debug"),
        help="how much is logged",
    )
    parser.add_argument(
        "--log-output", metavar="WHERE", help="log file, - for standard error, or syslog://…"
    )
    parser.add_argument(
        "--logger-config", metavar="FILE", help="Python logging configuration (ini, json, yaml)"
    )
    # How the keeper starts the rest of the daemon.
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"circusd {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
