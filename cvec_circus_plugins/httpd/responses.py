"""What goes back: JSON, pages, and the headers that every answer has."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import Response

from cvec_circus_core.api import encode_event

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers would send forms without their origin.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR = 365 * 24 * 3600


class Json(Response):
    """A JSON object."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return its text."""
        return encode_event(content)


def secure(message: MutableMapping[str, Any], *, is_secure: bool) -> None:
    """Add the headers that every answer has."""
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")
    if is_secure:
        headers.setdefault("strict-transport-security", f"max-age={_YEAR}")


def problem(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Json:
    """Return an error in the words of the control channel."""
    body = {"status": "error", "reason": reason, "tb": None, "errno": status}
    return Json(body, status_code=status, headers=dict(headers or {}))
