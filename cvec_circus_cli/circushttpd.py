"""circushttpd: the web console and the HTTP interface of one daemon or of several.

Exit codes: 0 it ended as it was told to, 1 it could not start or has failed, 2 wrong use of the
command line.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from cvec_circus_core.api import (
    BadKeys,
    CircusError,
    __version__,
    open_missing_streams,
    read_role,
    visible,
)
from cvec_circus_core.hosting.runner import Order, of_the_daemon, prepared

OK, FAILED = 0, 1
USE = "httpd"
NEEDS_EXTRA = "the console needs more packages: pip install 'cvec-circus[web]'"

log = logging.getLogger("circus.httpd")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run circushttpd and return its exit code."""
    open_missing_streams()
    args = _parser().parse_args(arguments)
    order = of_the_daemon(USE, os.environ)
    if order is None:
        return _guarded(lambda: _do(args), lambda sentence: _tell(f"circushttpd: {sentence}"))
    with prepared(order) as has_daemon:
        if not has_daemon:
            return FAILED
        complain = partial(log.error, "the console can not run: %s")
        return _guarded(lambda: _serve_for_daemon(order), complain)


def _guarded(act: Callable[[], int], complain: Callable[[str], None]) -> int:
    try:
        return act()
    except ImportError as error:
        complain(f"{NEEDS_EXTRA} ({error})")
    except CircusError as error:
        complain(str(error))
    except KeyboardInterrupt:
        return OK
    return FAILED


def _tell(sentence: str) -> None:
    print(visible(sentence), file=sys.stderr)


def _do(args: argparse.Namespace) -> int:
    logging.basicConfig(level=args.log_level.upper(), format="[%(levelname)s] %(message)s")
    settings = _settings(args)
    server = import_module("cvec_circus_plugins.httpd.server")
    if args.act == "link":
        address = server.address_of(settings, args.port)
        print(server.new_link(settings, address, args.name or _me(), read_role(args.role)))
        return OK
    if args.act == "password":
        return _set_password(settings, args)
    return _serve(settings, args)


def _settings(args: argparse.Namespace) -> Any:
    module = import_module("cvec_circus_plugins.httpd.settings")
    names = (
        *("host", "port", "folder", "root_path", "certfile", "keyfile", "insecure", "hosts"),
        *("proxies", "proxy_header", "proxy_secret", "proxy_role"),
    )
    options = {name: getattr(args, name) for name in names}
    first, *others = args.endpoint or [module.DEFAULT_ENDPOINT]
    options["endpoints"] = others
    return module.of_options(options, module.DaemonAddress(endpoint=first, ssh_server=args.ssh))


def _serve(settings: Any, args: argparse.Namespace) -> int:
    server = import_module("cvec_circus_plugins.httpd.server")
    server.check_safe(settings)
    if args.fd is None:
        listener = server.handed_over(os.environ) or server.bind(settings)
    else:
        listener = server.listener_at(args.fd)
    address = server.address_of(settings, listener.getsockname()[1])
    link = server.first_link(settings, address, _me())
    print(f"circushttpd: Listening on {address}")
    if link is not None:
        print(f"circushttpd: nobody has a password yet; this link lets you in once:\n  {link}")
    print("circushttpd: Hit Ctrl-C to quit.", flush=True)
    if args.server == "uvicorn":
        server.serve(settings, [listener])
    else:
        import_module("cvec_circus_plugins.httpd.other_servers").serve_by(
            args.server, settings, listener
        )
    return OK


def _serve_for_daemon(order: Order) -> int:
    """Serve as the daemon's own console, in its log and for as long as it lives."""
    module = import_module("cvec_circus_plugins.httpd.settings")
    own_daemon = module.DaemonAddress(
        endpoint=order.endpoint, pubsub_endpoint=order.pubsub_endpoint, daemon_id=order.daemon_id
    )
    settings = module.of_options(order.options, own_daemon)
    server = import_module("cvec_circus_plugins.httpd.server")
    server.check_safe(settings)
    listener = server.handed_over(os.environ) or server.bind(settings)
    address = server.address_of(settings, listener.getsockname()[1])
    log.info("the console listens at %s", address)
    link = server.first_link(settings, address, _me())
    if link is not None:
        log.warning("nobody has a password for the console; this lets you in once: %s", link)
    server.serve(settings, [listener])
    return OK


def _set_password(settings: Any, args: argparse.Namespace) -> int:
    people = import_module("cvec_circus_plugins.httpd.people").People(settings.path)
    name = import_module("cvec_circus_plugins.httpd.tokens").read_person_name(args.name or _me())
    sessions = import_module("cvec_circus_plugins.httpd.sessions")
    if args.remove:
        people.remove(name)
        print(f"{name} can not sign in any more")
    else:
        people.put(name, _new_password(name), read_role(args.role))
        print(f"{name} can sign in now, as {args.role}")
    sessions.Sessions(settings.path, settings.session_seconds).end_all_of(name)
    return OK


def _new_password(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"New password of {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise BadKeys("the two are not the same")
    return password


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.geteuid()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circushttpd",
        description="Serve the web console and the HTTP interface of a daemon, or of several.",
        epilog="The daemon runs this itself when httpd = True stands in [circus].",
    )
    parser.add_argument(
        "act",
        nargs="?",
        choices=("serve", "link", "password"),
        default="serve",
        help="serve the console; print a one-time link; set somebody's password",
    )
    parser.add_argument("name", nargs="?", help="whose link or password; yours when not given")
    parser.add_argument(
        "--role",
        choices=("operator", "viewer"),
        default="operator",
        help="what they may (default: %(default)s)",
    )
    parser.add_argument(
        "--remove", action="store_true", help="with password: let them in no longer"
    )
    _add_address(parser)
    _add_proxy(parser)
    parser.add_argument(
        "--log-level",
        type=str.lower,
        default="info",
        choices=("critical", "error", "warning", "info", "debug"),
        help="how much is logged (default: info)",
    )
    parser.add_argument("--version", action="version", version=f"circushttpd {__version__}")
    return parser


def _add_address(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="localhost", help="address to listen at (default: %(default)s)")
    add("--port", type=_port, default=8080, help="port to listen at (default: %(default)s)")
    add(
        "--endpoint",
        action="append",
        help="control endpoint of a daemon; may be given again (default: tcp://127.0.0.1:5555)",
    )
    add("--ssh", metavar="SERVER", help="go to the first daemon through ssh")
    add(
        "--server",
        default="uvicorn",
        help="ASGI server: uvicorn (the default), gunicorn or hypercorn",
    )
    add("--fd", type=int, help="descriptor of a socket that listens already")
    add("--folder", help="where people, tokens and sessions are kept (~/.config/circus/httpd)")
    add("--certfile", help="certificate for TLS")
    add("--keyfile", help="its private key, where that is another file")
    add("--insecure", action="store_true", help="listen to other machines without TLS")
    add(
        "--hosts",
        nargs="+",
        default=(),
        metavar="NAME",
        help="further names by which browsers may call the console; * for any",
    )


def _add_proxy(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--root-path", default="", metavar="PATH", help="where a proxy puts the console")
    add(
        "--proxies",
        nargs="+",
        default=(),
        metavar="ADDRESS",
        help="proxies whose X-Forwarded headers are believed",
    )
    add("--proxy-header", help="header in which such a proxy names whom it has signed in")
    add("--proxy-secret", metavar="FILE", help="the word that it sends as X-Circus-Proxy-Secret")
    add(
        "--proxy-role",
        choices=("operator", "viewer"),
        default="viewer",
        help="what people may whom only the proxy knows (default: %(default)s)",
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


if __name__ == "__main__":
    sys.exit(main())
