"""All who may come in, by whatever they show: one place for the gate to ask."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from cvec_circus_core.api import ConfigError, Person, Role, read_private
from cvec_circus_plugins.httpd.links import Links
from cvec_circus_plugins.httpd.people import People
from cvec_circus_plugins.httpd.sessions import SessionInfo, Sessions
from cvec_circus_plugins.httpd.settings import ConsoleSettings
from cvec_circus_plugins.httpd.tokens import Tokens

SHORTEST_SECRET = 16


class Accounts:
    """People, tokens, links and sessions. Raises `BadKeys` and `ConfigError` when made."""

    def __init__(self, settings: ConsoleSettings) -> None:
        folder = settings.path
        self._proxy_role = Role(settings.proxy_role)
        self.people = People(folder)
        self.tokens = Tokens(folder)
        self.links = Links(folder)
        self.sessions = Sessions(folder, settings.session_seconds)
        self.proxy_secret = _proxy_secret(settings)

    def session(self, secret: str) -> SessionInfo | None:
        """Return the session of a cookie, with the role that its person has now."""
        session = self.sessions.find(secret)
        if session is None or session.method != "password":
            return session
        person = self.people.find(session.person.name)
        if person is None:
            return None
        return SessionInfo(person, session.method, session.csrf, session.key)

    def proxy_person(self, name: str) -> Person:
        """Return the person whom a proxy names; the password file may give them another role."""
        return self.people.find(name) or Person(name, self._proxy_role)

    def proxy_word(self, name: str) -> str:
        """Return the secret from which the word against forged requests follows, for a proxy."""
        return sha256(f"proxy:{self.proxy_secret}:{name}".encode()).hexdigest()


def _proxy_secret(settings: ConsoleSettings) -> str | None:
    if settings.proxy_header is not None and settings.proxy_secret is None:
        raise ConfigError(
            "httpd_proxy_header needs httpd_proxy_secret: any program could send that header"
        )
    if settings.proxy_header is not None and not settings.proxies:
        raise ConfigError("httpd_proxy_header needs httpd_proxies: whose header counts")
    if settings.proxy_secret is None:
        return None
    try:
        secret = read_private(str(Path(settings.proxy_secret))).strip()
    except FileNotFoundError:
        raise ConfigError(f"httpd_proxy_secret {settings.proxy_secret} is not there") from None
    if len(secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"httpd_proxy_secret {settings.proxy_secret} holds a word of fewer than "
            f"{SHORTEST_SECRET} characters"
        )
    return secret
