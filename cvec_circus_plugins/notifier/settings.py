"""What can be said about notifications: which events, how many, to whom, in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

from cvec_circus_core.api import (
    DURATION,
    INTEGER,
    TEXT,
    ConfigError,
    Kind,
    at_least,
    between,
    one_of,
    option,
    or_none,
)
from cvec_circus_plugins._http import check_url


def _separated(text: object) -> tuple[str, ...]:
    if isinstance(text, list | tuple):
        return tuple(str(name).strip() for name in text)
    if not isinstance(text, str):
        raise ValueError("names, separated by commas")
    return tuple(name.strip() for name in text.replace("\n", ",").split(",") if name.strip())


def _headers(text: object) -> dict[str, str]:
    if isinstance(text, Mapping):
        return {str(key): str(value) for key, value in text.items()}
    headers = {}
    for line in str(text).split("\n"):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip() or not value.strip().isprintable():
            raise ValueError("headers, one 'Name: value' per line")
        headers[name.strip()] = value.strip()
    return headers


def _template(text: object) -> str:
    if not isinstance(text, str) or not Template(text).is_valid():
        raise ValueError("a text in which $ stands before a name, or twice")
    return text


NAMES_OR_PATTERNS = Kind(
    "patterns", "names or patterns, separated by commas", _separated, _separated, list
)
HEADERS = Kind("headers", "one 'Name: value' per line", _headers, _headers)
TEMPLATE = Kind("template", "a text with names such as $watcher", _template, _template)

SECURITY = one_of("none", "starttls", "tls")


@dataclass(frozen=True, kw_only=True)
class NotifierSettings:
    """Which events are told, to whom, and how."""

    events: tuple[str, ...] = option(
        ("flapping",), NAMES_OR_PATTERNS, "events that are told, such as flapping, reap, stop"
    )
    watchers: tuple[str, ...] = option(
        ("*",), NAMES_OR_PATTERNS, "watchers whose events are told, in any case of letters"
    )
    reasons: tuple[str, ...] = option(
        (), NAMES_OR_PATTERNS, "of events that have a reason, such as reap, only those with these"
    )
    at_most: int = option(10, at_least(INTEGER, 1), "messages within the seconds of per")
    per: float = option(60.0, at_least(DURATION, 0.01), "seconds that at_most is about")
    timeout: float = option(10.0, at_least(DURATION, 0.01), "seconds that one attempt may take")
    retries: int = option(3, at_least(INTEGER, 0), "attempts after the first one has failed")
    retry_pause: float = option(
        2.0, at_least(DURATION, 0), "seconds before the second attempt; doubled for each one after"
    )
    queue: int = option(
        100, at_least(INTEGER, 1), "messages that may wait for a receiver; more are thrown away"
    )
    url: str | None = option(
        None, or_none(TEXT), "webhook: the address that messages are sent to", secret=True
    )
    headers: Mapping[str, str] = option({}, HEADERS, "webhook: headers of the request", secret=True)
    content_type: str = option("application/json", TEXT, "webhook: the kind of body")
    body: str | None = option(
        None,
        or_none(TEMPLATE),
        "webhook: template of the body; a JSON object that tells everything where it is not given",
    )
    mail_to: tuple[str, ...] = option((), NAMES_OR_PATTERNS, "mail: addresses of receivers")
    mail_from: str = option("circus@localhost", TEXT, "mail: address of the sender")
    smtp_host: str = option("localhost", TEXT, "mail: the server that mail is handed to")
    smtp_port: int = option(25, between(INTEGER, 1, 65535), "mail: its port")
    smtp_security: str = option("none", SECURITY, "mail: how the connection is protected")
    smtp_user: str | None = option(None, or_none(TEXT), "mail: user name, where one is wanted")
    smtp_password: str | None = option(
        None, or_none(TEXT), "mail: the password of this user", secret=True
    )
    smtp_password_file: str | None = option(
        None, or_none(TEXT), "mail: a file whose first line is the password"
    )
    subject: str = option("[circus] $watcher: $event", TEMPLATE, "mail: template of the subject")
    text: str = option("$summary\n\n$details\n", TEMPLATE, "mail: template of the text")

    def __post_init__(self) -> None:
        """Look whether they fit together. Raises `ConfigError`, which tells no secret."""
        if self.url is not None:
            check_url("url", self.url)
        if self.smtp_password and self.smtp_password_file:
            raise ConfigError("smtp_password and smtp_password_file exclude each other")
        if (self.smtp_password or self.smtp_password_file) and not self.smtp_user:
            raise ConfigError("smtp_password needs a smtp_user")


def completed(settings: NotifierSettings) -> NotifierSettings:
    """Return the settings with the password that a file holds. Raises `ConfigError`."""
    if settings.url is None and not settings.mail_to:
        raise ConfigError("the notifier needs a url, or mail_to, or both")
    if settings.smtp_password_file is None:
        return settings
    path = Path(settings.smtp_password_file)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "isn't UTF-8 text"
        raise ConfigError(f"smtp_password_file {path}: {why.lower()}") from None
    if not lines or not lines[0]:
        raise ConfigError(f"smtp_password_file {path}: the first line is empty")
    return replace(settings, smtp_password=lines[0], smtp_password_file=None)
