"""HTTP requests by the standard library, for those who only want to know what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from cvec_circus_core.api import ConfigError, Deadline, __version__, escaped

SCHEMES = ("http", "https")

_CHUNK = 65536
_LONGEST_BODY = 16 * 1024 * 1024
"""Bytes of a response that are read; the rest is left."""


class NoResponse(Exception):
    """No response has come; says why in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request."""

    url: str = field(repr=False)
    """It may hold a secret: nobody prints it."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    by_proxy: bool = True
    """Whether the proxy that the environment names is asked."""


def send(http_request: HttpRequest, seconds: float) -> int:
    """Make a request, read the response, and return its status, whatever that is.

    Each step may take so many seconds, and so may the body; redirections are followed. Raises
    TimeoutError and `NoResponse`.
    """
    opener = build_opener() if http_request.by_proxy else build_opener(ProxyHandler({}))
    headers = {"User-Agent": f"cvec_circus/{__version__}", **http_request.headers}
    request = Request(  # noqa: S310 - the scheme was checked when the options were read
        http_request.url, data=http_request.body, headers=headers, method=http_request.method
    )
    deadline = Deadline(seconds)
    try:
        with opener.open(request, timeout=seconds) as response:
            size = 0
            while (chunk := response.read1(_CHUNK)) and size < _LONGEST_BODY:
                size += len(chunk)
                if deadline.left() <= 0:
                    raise TimeoutError
            return int(response.status)
    except HTTPError as error:
        error.close()
        return int(error.code)
    except TimeoutError:
        raise
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise TimeoutError from None
        raise NoResponse(_reason_text(error.reason)) from None
    except (OSError, HTTPException, ValueError) as error:
        raise NoResponse(_reason_text(error)) from None


def check_url(key: str, url: str) -> None:
    """Raise `ConfigError` where this is no address of HTTP; the address itself is not told."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a property that raises for what is no port
    except ValueError as error:
        raise ConfigError(f"{key} isn't an address: {str(error).lower()}") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ConfigError(f"{key} isn't an address that begins with http:// or https://")


def origin(url: str) -> str:
    """Return what of an address may be told to everybody: no password, no path, no query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _reason_text(reason: object) -> str:
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    # It may quote what the server has sent.
    return escaped(str(reason) or type(reason).__name__)
