"""The two ways to somebody: a webhook, and mail. Each sends one message, and blocks until it has.

What can not be sent raises `PermanentFailure` where trying again is of no use, and anything else,
such as `TemporaryFailure`, where it may help.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol

from cvec_circus_core.api import escaped
from cvec_circus_plugins import _http
from cvec_circus_plugins.notifier.message import Message
from cvec_circus_plugins.notifier.settings import NotifierSettings

_TRY_AGAIN = frozenset({408, 425, 429})
_JSON = "application/json"


class TemporaryFailure(Exception):
    """It was not sent this time; says why."""


class PermanentFailure(Exception):
    """It will not be taken the next time either; says why."""


class Receiver(Protocol):
    """One that messages are sent to."""

    name: str
    """What the log calls it; without secrets."""

    def send(self, message: Message) -> None:
        """Send one message.

        Raises `TemporaryFailure`, `PermanentFailure`, OSError and TimeoutError.
        """


class Webhook:
    """Sends messages by HTTP."""

    def __init__(self, settings: NotifierSettings) -> None:
        assert settings.url is not None
        self._settings = settings
        self._url = settings.url
        self.name = f"webhook at {_http.origin(settings.url)}"

    def send(self, message: Message) -> None:
        """Send one message."""
        settings = self._settings
        is_json = settings.content_type.partition(";")[0].strip().lower() == _JSON
        text = (
            message.as_json()
            if settings.body is None
            else message.filled(settings.body, as_json=is_json)
        )
        headers = {"Content-Type": settings.content_type, **settings.headers}
        request = _http.HttpRequest(
            url=self._url, method="POST", headers=headers, body=text.encode()
        )
        try:
            status = _http.send(request, settings.timeout)
        except _http.NoResponse as error:
            raise TemporaryFailure(str(error)) from None
        if 200 <= status < 300:
            return
        if status >= 500 or status in _TRY_AGAIN:
            raise TemporaryFailure(f"it answers with status {status}")
        raise PermanentFailure(f"it answers with status {status}")


class Mail:
    """Hands messages to a mail server."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self.name = f"mail by {settings.smtp_host}:{settings.smtp_port}"

    def send(self, message: Message) -> None:
        """Send one message."""
        try:
            with self._connected() as server:
                server.send_message(
                    self._mail_message(message),
                    self._settings.mail_from,
                    list(self._settings.mail_to),
                )
        except smtplib.SMTPRecipientsRefused as error:
            answers = "; ".join(f"{to}: {_answer(*why)}" for to, why in error.recipients.items())
            is_final = all(code >= 500 for code, _ in error.recipients.values())
            raise (PermanentFailure if is_final else TemporaryFailure)(answers) from None
        except smtplib.SMTPResponseException as error:
            answer = _answer(error.smtp_code, error.smtp_error)
            raise (PermanentFailure if error.smtp_code >= 500 else TemporaryFailure)(
                answer
            ) from None
        except smtplib.SMTPNotSupportedError as error:
            raise PermanentFailure(str(error).lower()) from None
        except smtplib.SMTPException as error:
            raise TemporaryFailure(str(error).lower()) from None

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        where = (settings.smtp_host, settings.smtp_port)
        if settings.smtp_security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                *where, timeout=settings.timeout, context=context
            )
        else:
            server = smtplib.SMTP(*where, timeout=settings.timeout)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password or "")
        except BaseException:
            server.close()
            raise
        return server

    def _mail_message(self, message: Message) -> EmailMessage:
        settings = self._settings
        mail = EmailMessage()
        # A name may hold a line's end, and a header may not.
        mail["Subject"] = escaped(" ".join(message.filled(settings.subject).split()))
        mail["From"] = settings.mail_from
        mail["To"] = ", ".join(settings.mail_to)
        mail["Date"] = formatdate(localtime=True)
        mail["Message-ID"] = make_msgid(domain=message.host or None)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.filled(settings.text))
        return mail


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {escaped(' '.join(words.split()))}"
