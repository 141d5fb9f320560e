"""circus-plugin: run one plugin in this process, beside a daemon.

Exit codes: 0 it ended as it was told to, 1 it could not start or has failed, 2 wrong use of the
command line. The daemon starts this program, too; then what it has to know stands in the
environment (`hosting/placement.py`), where no character does harm.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from cvec_circus_cli import older_names
from cvec_circus_cli.daemon_arguments import add_endpoints, add_logging, add_ssh
from cvec_circus_core.api import (
    BadConfig,
    CircusError,
    __version__,
    open_missing_streams,
    replace,
    visible,
)
from cvec_circus_core.hosting.runner import Order, of_the_daemon, order_from_file, run

OK, FAILED, USAGE = 0, 1, 2
_BETWEEN = ":::"

_EPILOG = """\
examples:
  circus-plugin myproject.plugins.Logger -o filename=/tmp/events
  circus-plugin --endpoint ipc:///run/app/control --pubsub ipc:///run/app/events statsd_emitter
  circus-plugin --config-file app.ini logger     run what [plugin:logger] of app.ini says
  circus-plugin --list                           tell which plugins are installed
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run circus-plugin and return its exit code."""
    open_missing_streams()
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.list:
        return _list()
    if args.plugin is None:
        parser.print_usage(sys.stderr)
        return USAGE
    older_names.install()
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return run(of_the_daemon(args.plugin, os.environ) or _order(parser, args))
    except BadConfig as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return _say(f"{args.config_file} can not be used")
    except CircusError as error:
        return _say(str(error))
    except KeyboardInterrupt:
        return OK


def _order(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Order:
    """Put together what the words say; they win over a file."""
    order = Order(args.plugin)
    if args.config_file is not None:
        order = order_from_file(args.config_file, args.plugin, os.environ)
    options = {**order.options, **_older_options(parser, args.config)}
    for word in args.option:
        key, equals, value = word.partition("=")
        if not equals or not key:
            parser.error(f"-o takes KEY=VALUE, not {word!r}")
        options[key] = value
    switches = {
        "endpoint": args.endpoint,
        "pubsub_endpoint": args.pubsub,
        "check_delay": args.check_delay,
        "ssh_server": args.ssh,
        "keys": args.keys,
        "loglevel": args.log_level,
        "logoutput": args.log_output,
    }
    return replace(
        order,
        options=options,
        **{key: value for key, value in switches.items() if value is not None},
    )


def _older_options(parser: argparse.ArgumentParser, text: str | None) -> dict[str, str]:
    """Read ``key:value:::key:value``, the only form that the older program takes."""
    options: dict[str, str] = {}
    for item in text.split(_BETWEEN) if text else ():
        key, colon, value = item.partition(":")
        if not colon or not key:
            parser.error(f"--config takes key:value{_BETWEEN}key:value, not {text!r}")
        options[key] = value
    return options


def _list() -> int:
    for entry in sorted(entry_points(group="cvec_circus.plugins"), key=lambda entry: entry.name):
        origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "?"
        try:
            plugin_class = entry.load()
            summary = (plugin_class.__doc__ or "").strip().partition("\n")[0]
        except Exception as error:
            summary = f"[broken] {type(error).__name__}: {error}"
        print(f"{entry.name}  ({origin})  {summary}")
    return OK


def _say(sentence: str) -> int:
    print(f"circus-plugin: {visible(sentence)}", file=sys.stderr)
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circus-plugin",
        description="Run a plugin, which hears what happens in a daemon and may command it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "plugin", nargs="?", help="name of an installed plugin, or dotted name of its class"
    )
    add_endpoints(parser, has_defaults=False)
    parser.add_argument(
        "-o",
        dest="option",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="option of the plugin; may be given several times",
    )
    parser.add_argument(
        "--config", metavar="TEXT", help="options of the plugin as key:value:::key:value"
    )
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        help="configuration of the daemon; PLUGIN is then the name of a section [plugin:NAME]",
    )
    parser.add_argument(
        "--check-delay", type=float, metavar="SECONDS", help="what the plugin is told (default: 5)"
    )
    add_logging(parser, has_defaults=False)
    add_ssh(parser)
    parser.add_argument(
        "--keys",
        metavar="FOLDER",
        help="keys for a daemon elsewhere; else $CIRCUS_KEYS, else ~/.config/circus",
    )
    parser.add_argument("--list", action="store_true", help="tell which plugins are installed")
    parser.add_argument("--version", action="version", version=f"circus-plugin {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
