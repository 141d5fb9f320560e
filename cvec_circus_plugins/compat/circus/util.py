"""What programs take from ``circus.util``: endpoints, logging, and conversions."""

from __future__ import annotations

import json
import logging
import logging.config
import shlex
import sys
from collections.abc import Mapping
from concurrent.futures import Future as _ThreadFuture
from importlib import import_module
from pathlib import Path
from typing import Any

from cvec_circus_core import api

DEFAULT_ENDPOINT_DEALER = "tcp://127.0.0.1:5555"
DEFAULT_ENDPOINT_SUB = "tcp://127.0.0.1:5556"
DEFAULT_ENDPOINT_STATS = "tcp://127.0.0.1:5557"
DEFAULT_ENDPOINT_MULTICAST = "udp://237.219.251.97:12027"

LOG_LEVELS = {
    name: getattr(logging, name.upper())
    for name in ("critical", "error", "warning", "info", "debug")
}
LOG_FMT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
LOG_DATE_FMT = "%Y-%m-%d %H:%M:%S"

human2bytes = api.SIZE.parse
to_bool = api.BOOLEAN.parse


def to_str(s: object, encoding: str = "utf8", errors: str = "replace") -> str:
    """Return a text, whether it is given as text or as bytes."""
    return s.decode(encoding, errors) if isinstance(s, bytes) else str(s)


def to_bytes(s: str | bytes, encoding: str = "utf8") -> bytes:
    """Return bytes, whether they are given as text or as bytes."""
    return s.encode(encoding) if isinstance(s, str) else s


def to_signum(signum: int | str) -> int:
    """Return the number of a signal that is given by name or number."""
    return api.read_signal(signum)


def parse_env_str(env_str: str) -> dict[str, str]:
    """Return the variables in a text such as ``A=1,B=2``."""
    pairs = (pair.partition("=") for pair in env_str.split(",") if "=" in pair)
    return {name.strip(): value.strip() for name, _, value in pairs}


parse_env_dict = dict
shell_escape_arg = shlex.quote


def get_python_version() -> str:
    """Return the version of this Python, as ``3.12``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def get_connection(
    socket: Any, endpoint: str, ssh_server: str | None = None, ssh_keyfile: str | None = None
) -> None:
    """Connect a ZeroMQ socket to an endpoint, through ssh where a server is given."""
    if ssh_server is None:
        socket.connect(endpoint)
        return
    from zmq import ssh

    ssh.tunnel_connection(socket, endpoint, ssh_server, ssh_keyfile)


def check_future_exception_and_log(future: Any) -> BaseException | None:
    """Return the exception of a future that is done, and write it to the log."""
    if isinstance(future, _ThreadFuture) or not future.done() or future.cancelled():
        return None
    error: BaseException | None = future.exception()
    if error is not None:
        logging.getLogger("circus").error("exception %s caught", error, exc_info=error)
    return error


def configure_logger(
    logger: logging.Logger,
    level: int | str = "INFO",
    output: str = "-",
    loggerconfig: str | Mapping[str, Any] | None = None,
    name: str | None = None,
) -> None:
    """Let a logger write to a file, or to standard error for ``-``.

    ``loggerconfig`` counts instead, where it is a mapping for `logging.config` or a file with one;
    ``default`` stands for none.
    """
    if isinstance(loggerconfig, Mapping):
        logging.config.dictConfig(dict(loggerconfig))
        return
    if loggerconfig and loggerconfig != "default":
        logging.config.dictConfig(_read_config(Path(loggerconfig)))
        return
    number = LOG_LEVELS[level.lower()] if isinstance(level, str) else level
    handler = logging.StreamHandler() if output == "-" else logging.FileHandler(output)
    handler.setFormatter(logging.Formatter(LOG_FMT, LOG_DATE_FMT))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(number)


def _read_config(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    config: dict[str, Any]
    if file.suffix.lower() == ".json":
        config = json.loads(text)
    else:
        config = import_module("yaml").safe_load(text)
    return config
