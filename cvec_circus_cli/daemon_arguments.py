"""Arguments of programs that work beside a daemon: where it is, how much is logged, and where."""

from __future__ import annotations

import argparse

_ENDPOINTS = (
    ("--endpoint", "control", "tcp://127.0.0.1:5555"),
    ("--pubsub", "event", "tcp://127.0.0.1:5556"),
)


def add_endpoints(parser: argparse.ArgumentParser, *, has_defaults: bool) -> None:
    """Add where the daemon is; without defaults, what is not given is None."""
    for word, kind, usual in _ENDPOINTS:
        parser.add_argument(
            word,
            default=usual if has_defaults else None,
            help=f"{kind} endpoint of the daemon (default: {usual})",
        )


def add_logging(parser: argparse.ArgumentParser, *, has_defaults: bool) -> None:
    """Add how much is logged, and where; without defaults, what is not given is None."""
    parser.add_argument(
        "--log-level",
        type=str.lower,
        default="info" if has_defaults else None,
        choices=("critical", "error", "warning", "info", "debug"),
        help="how much is logged (default: info)",
    )
    parser.add_argument(
        "--log-output",
        default="-" if has_defaults else None,
        metavar="WHERE",
        help="log file, - for standard error (the default)",
    )


def add_ssh(parser: argparse.ArgumentParser) -> None:
    """Add the way through another machine."""
    parser.add_argument("--ssh", metavar="SERVER", help="go to the daemon through ssh")
