"""What programs take from ``circus.util``: endpoints, logging, and conversions."""

from __future__ import annotations

import asyncio
import grp
import json
import logging
import logging.config
import os
import pwd
import shlex
import sys
from collections.abc import Mapping
from concurrent.futures import Future as _ThreadFuture
from importlib import import_module
from pathlib import Path
from typing import Any

from circus.exc import ConflictError as ConflictError
from cvec_circus_core import api
from cvec_circus_core.system.accounts import gid_of, uid_of, user_name
from cvec_circus_core.system.working_dir import entered_through

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

MAXFD = 1024
REDIRECT_TO = os.devnull
IS_WINDOWS = False

human2bytes = api.SIZE.parse
to_bool = api.BOOLEAN.parse


def bytes2human(n: int) -> str:
    """Return a size in the largest unit that is no larger, as ``1.50K``."""
    for exponent, unit in reversed(tuple(enumerate("KMGTPEZY", start=1))):
        if n >= 1024**exponent:
            return f"{n / 1024**exponent:.2f}{unit}"
    return f"{n}B"


def to_str(s: object, encoding: str = "utf8", errors: str = "replace") -> str:
    """Return a text, whether it is given as text or as bytes."""
    return s.decode(encoding, errors) if isinstance(s, bytes) else str(s)


def to_bytes(s: str | bytes, encoding: str = "utf8") -> bytes:
    """Return bytes, whether they are given as text or as bytes."""
    return s.encode(encoding) if isinstance(s, str) else s


def to_signum(signum: int | str) -> int:
    """Return the number of a signal that is given by name or number."""
    return api.read_signal(signum)


def to_uid(name: int | str) -> int:
    """Return the number of a user. Raises `ValueError` where there is no such user."""
    try:
        return pwd.getpwuid(uid_of(name)).pw_uid
    except (api.CircusError, KeyError):
        raise ValueError(f"there is no user {name!r}") from None


def to_gid(name: int | str) -> int:
    """Return the number of a group. Raises `ValueError` where there is no such group."""
    try:
        return grp.getgrgid(gid_of(name)).gr_gid
    except (api.CircusError, KeyError):
        raise ValueError(f"there is no group {name!r}") from None


def get_username_from_uid(uid: int) -> str:
    """Return the name of a user."""
    return user_name(uid)


def get_default_gid(uid: int) -> int:
    """Return the number of a user's own group."""
    return pwd.getpwuid(uid).pw_gid


def get_working_dir() -> str:
    """Return the current folder, by the name under which it was entered where that is known."""
    return entered_through(os.environ) or os.getcwd()


def close_on_exec(fd: int) -> None:
    """Keep a descriptor from programs that are started later."""
    os.set_inheritable(fd, False)


def resolve_name(import_name: str) -> Any:
    """Return what a dotted name means: a module, or something in one. Raises `ImportError`."""
    parts = import_name.split(".")
    for length in range(len(parts), 0, -1):
        module_name = ".".join(parts[:length])
        try:
            member: Any = import_module(module_name)
        except ModuleNotFoundError as error:
            # What the module itself imports and does not find is another matter.
            if not f"{module_name}.".startswith(f"{error.name}.") and length < len(parts):
                raise
            continue
        for part in parts[length:]:
            if not hasattr(member, part):
                raise ImportError(f"{import_name!r}: {module_name} has no {part}")
            member = getattr(member, part)
        return member
    raise ImportError(f"{import_name!r}: there is no module {parts[0]}")


async def _sleep(duration: float) -> None:
    await asyncio.sleep(duration)


def tornado_sleep(duration: float) -> asyncio.Future[None]:
    """Return a future that is done after some seconds."""
    return asyncio.ensure_future(_sleep(duration))


def env_to_str(env: Mapping[str, str]) -> str:
    """Return variables as text, as ``A=1,B=2``."""
    return ",".join(f"{name}={value}" for name, value in sorted(env.items()))


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
