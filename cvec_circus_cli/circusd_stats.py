"""circusd-stats: publish statistics of a daemon, in this process.

The daemon runs it as the watcher ``circusd-stats`` when ``stats_endpoint`` is set; then what it has
to know stands in the environment, as for any plugin. By hand it serves any daemon that it reaches.
Exit codes: 0 it ended as it was told to, 1 it could not start or has failed, 2 wrong use of the
command line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cvec_circus_cli.daemon_arguments import add_endpoints, add_logging, add_ssh
from cvec_circus_core.api import CircusError, __version__, open_missing_streams, visible
from cvec_circus_core.hosting.runner import Order, of_the_daemon, run

OK, FAILED = 0, 1
PLUGIN = "statistics"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run circusd-stats and return its exit code."""
    open_missing_streams()
    args = _parser().parse_args(arguments)
    options = {"statspoint": args.statspoint, "interval": args.interval, "pss": args.pss}
    order = of_the_daemon(PLUGIN, os.environ) or Order(
        PLUGIN,
        options,
        endpoint=args.endpoint,
        pubsub_endpoint=args.pubsub,
        ssh_server=args.ssh,
        loglevel=args.log_level,
        logoutput=args.log_output,
    )
    try:
        return run(order)
    except CircusError as error:
        print(f"circusd-stats: {visible(str(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circusd-stats",
        description="Publish what the processes and sockets of a daemon use, about once a second "
        "while somebody listens.",
        epilog="The daemon runs this itself when stats_endpoint stands in [circus].",
    )
    add_endpoints(parser, has_defaults=True)
    parser.add_argument(
        "--statspoint",
        default="tcp://127.0.0.1:5557",
        help="where to publish (default: %(default)s)",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="time between two samples (default: %(default)s)",
    )
    parser.add_argument(
        "--pss", action="store_true", help="tell memory with shared parts counted in parts, too"
    )
    add_logging(parser, has_defaults=True)
    add_ssh(parser)
    parser.add_argument("--version", action="version", version=f"circusd-stats {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
