"""circus-top: watch what the processes of a daemon use, as it changes.

Exit codes are those of circusctl: 0 done, 1 nobody answered or there are no statistics, 2 wrong use
of the command line, 3 the daemon refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cvec_circus_cli import exit_codes
from cvec_circus_cli.output import complain
from cvec_circus_cli.settings import VARIABLE
from cvec_circus_cli.top.row import Sheet
from cvec_circus_cli.top.run import Mode, Order, run
from cvec_circus_cli.top.sources import (
    CONTROL_ENDPOINT,
    STATS_ENDPOINT,
    EndpointOptions,
    NoStatistics,
    locate,
)
from cvec_circus_cli.top.view import View
from cvec_circus_core.api import CallError, __version__, open_missing_streams

SORTS = ("cpu", "memory", "resident", "age", "time", "name", "pid", "user", "threads", "files")

_EPILOG = """\
examples:
  circus-top                       the daemon at the usual address
  circus-top --control ipc:///run/app/control
                                   ask that daemon where its statistics are
  circus-top --interactive         and start, stop, restart and signal with s x r + - k
  circus-top --once --sort memory | head
  circus-top --batch --json --count 60 -d 10 > ten-minutes.jsonl

In the console ? tells the keys and q leaves. The daemon publishes statistics when stats_endpoint is
set in its [circus] section. $NO_COLOR takes the colours away. The live console needs the package
textual (pip install 'cvec-circus[tui]'); --once and --batch need nothing.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run circus-top and return its exit code."""
    open_missing_streams()
    parser = _parser()
    args = parser.parse_args(arguments)
    options = _endpoints(args)
    try:
        code = run(options, locate(options), _order(args))
        sys.stdout.flush()
    except NoStatistics as error:
        complain(f"circus-top: {error}")
        return error.code
    except CallError as error:
        complain(f"circus-top: {error}")
        return exit_codes.NO_ANSWER
    except KeyboardInterrupt:
        return exit_codes.OK
    except BrokenPipeError:
        # Nobody reads on. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    return code


def _endpoints(args: argparse.Namespace) -> EndpointOptions:
    return EndpointOptions(
        args.endpoint,
        args.control,
        args.ssh,
        args.ssh_keyfile,
        args.timeout,
        tuple(args.trust_user),
    )


def _order(args: argparse.Namespace) -> Order:
    return Order(
        _mode(args),
        View(
            Sheet.SOCKETS if args.sockets else Sheet.PROCESSES,
            args.sort or ("reads" if args.sockets else "cpu"),
            args.reverse,
            args.filter,
        ),
        interval=args.interval,
        forget_after=args.process_timeout,
        may_act=args.interactive,
        colourless=args.no_color,
        ascii=args.ascii,
        count=1 if args.once else args.count,
        json=args.json,
        screenshot=args.screenshot,
    )


def _mode(args: argparse.Namespace) -> Mode:
    if args.once or args.batch or args.json:
        return Mode.LINES
    return Mode.PORTRAIT if args.screenshot else Mode.SCREEN


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"seconds are a number from 0.1 to 3600, not {text!r}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a count is 1 or more, not {text!r}")
    return value


_seconds.__name__, _count.__name__ = "number of seconds", "count"  # as argparse's messages say


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circus-top",
        description="Watch what the processes and sockets of a daemon use of the machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_where(parser.add_argument_group("where"))
    _add_what(parser.add_argument_group("what is shown"))
    _add_how(parser.add_argument_group("how it is shown"))
    parser.add_argument("--version", action="version", version=f"circus-top {__version__}")
    return parser


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--endpoint",
        help="endpoint of the statistics; else the one that the daemon tells, else "
        f"{STATS_ENDPOINT}",
    )
    group.add_argument(
        "--control",
        metavar="ENDPOINT",
        help="control endpoint of the daemon, for the states of watchers and for --interactive; "
        f"else ${VARIABLE}, else {CONTROL_ENDPOINT}",
    )
    group.add_argument("--ssh", metavar="USER@HOST[:PORT]", help="go through ssh")
    group.add_argument(
        "--trust-user",
        action="append",
        default=[],
        metavar="USER",
        help="who may listen on this machine, beside root and you; repeatable",
    )
    group.add_argument("--ssh_keyfile", "--ssh-keyfile", metavar="FILE", help="key for ssh")
    group.add_argument(
        "--timeout",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for the first numbers (default: 5)",
    )


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--sort", choices=SORTS, help="sort by this column (default: cpu)")
    group.add_argument("--reverse", action="store_true", help="sort in the other direction")
    group.add_argument(
        "--filter",
        default="",
        metavar="TEXT",
        help="only watchers and processes whose name holds this text, or that have this pid",
    )
    group.add_argument("--sockets", action="store_true", help="sockets instead of processes")
    group.add_argument(
        "--process-timeout",
        type=_seconds,
        default=3.0,
        metavar="SECONDS",
        help="forget a process of which nothing was heard for so long (default: 3)",
    )


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        *("-d", "--interval"),
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="a new picture every so many seconds (default: 1)",
    )
    group.add_argument(
        "--interactive",
        action="store_true",
        help="allow keys that start, stop, restart, resize and signal, after a confirmation",
    )
    group.add_argument("--once", action="store_true", help="print plain text once, and end")
    group.add_argument(
        "--batch",
        action="store_true",
        help="print plain text again and again; so does a standard output that is no terminal",
    )
    group.add_argument(
        *("-n", "--count"), type=_count, metavar="NUMBER", help="end after so many pictures"
    )
    group.add_argument("--json", action="store_true", help="print JSON, one object a line")
    group.add_argument("--no-color", action="store_true", help="no colours, as $NO_COLOR does")
    group.add_argument("--ascii", action="store_true", help="draw with ASCII characters alone")
    group.add_argument(
        "--screenshot", metavar="FILE.svg", help="draw the console into an SVG file, and end"
    )


if __name__ == "__main__":
    sys.exit(main())
