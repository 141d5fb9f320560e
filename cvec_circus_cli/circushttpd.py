"""circushttpd: the web console and the HTTP interface of one daemon or of several.

Exit codes: 0 it ended as it was told to, 1 it could not start or has failed, 2 wrong use of the
command line.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

from cvec_circus_core.api import CircusError, __version__, open_missing_streams

OK, FAILED = 0, 1
NEEDS_EXTRA = "the console needs more packages: pip install 'cvec-circus[web]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run circushttpd and return its exit code."""
    open_missing_streams()
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=args.log_level.upper(), format="[%(levelname)s] %(message)s")
    try:
        return _serve(args)
    except CircusError as error:
        print(f"circushttpd: {error}", file=sys.stderr)
        return FAILED
    except ImportError as error:
        print(f"circushttpd: {NEEDS_EXTRA} ({error})", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return OK


def _serve(args: argparse.Namespace) -> int:
    settings_module = import_module("cvec_circus_plugins.httpd.settings")
    server = import_module("cvec_circus_plugins.httpd.server")
    folder = {} if args.folder is None else {"folder": args.folder}
    settings = settings_module.ConsoleSettings(
        host=args.host,
        port=args.port,
        root_path=args.root_path.rstrip("/"),
        certfile=args.certfile,
        keyfile=args.keyfile,
        insecure=args.insecure,
        daemons=tuple(
            settings_module.DaemonAddress(endpoint=endpoint, ssh_server=args.ssh)
            for endpoint in args.endpoint or [settings_module.DEFAULT_ENDPOINT]
        ),
        **folder,
    )
    server.check_safe(settings)
    listener = server.bind(settings)
    address = server.address_of(settings, listener.getsockname()[1])
    link = server.first_link(settings, address, getpass.getuser())
    print(f"circushttpd: Listening on {address}")
    if link is not None:
        print(f"circushttpd: nobody has a password yet; this link lets you in once:\n  {link}")
    print("circushttpd: Hit Ctrl-C to quit.", flush=True)
    server.serve(settings, [listener])
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circushttpd",
        description="Serve the web console and the HTTP interface of a daemon, or of several.",
        epilog="The daemon runs this itself when httpd = True stands in [circus].",
    )
    parser.add_argument(
        "--host", default="localhost", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="port to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--endpoint",
        action="append",
        help="control endpoint of a daemon; may be given again (default: tcp://127.0.0.1:5555)",
    )
    parser.add_argument("--ssh", metavar="SERVER", help="go to the daemons through ssh")
    parser.add_argument(
        "--folder",
        help="where people, tokens and sessions are kept (default: ~/.config/circus/httpd)",
    )
    parser.add_argument(
        "--root-path", default="", metavar="PATH", help="where a proxy puts the console"
    )
    parser.add_argument("--certfile", help="certificate for TLS")
    parser.add_argument("--keyfile", help="its private key, where that is another file")
    parser.add_argument(
        "--insecure", action="store_true", help="listen to other machines without TLS"
    )
    parser.add_argument(
        "--log-level",
        type=str.lower,
        default="info",
        choices=("critical", "error", "warning", "info", "debug"),
        help="how much is logged (default: info)",
    )
    parser.add_argument("--version", action="version", version=f"circushttpd {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
