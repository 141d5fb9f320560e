"""The two ways to somebody: a webhook, and mail. Each sends one message, and blocks until it has.

What can not be sent raises `Refused` where trying again is of no use, and anything else, such as
`Unsent`, where it may be.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol

from cvec_circus_plugins import _http
from cvec_circus_plugins.notifier.message import Message
from cvec_circus_plugins.notifier.settings import NotifierSettings

_TRY_AGAIN = frozenset({408, 425, 429})
_JSON = "application/json"


class Unsent(Exception):
    """It was not sent this time; says why."""


class Refused(Exception):
    """It will not be taken the next time either; says why."""


class Receiver(Protocol):
    """One that messages are sent to."""

    name: str
    """What the log calls it; without secrets."""

    def send(self, message: Message) -> None:
        """Send one message. Raises `Unsent`, `Refused`, OSError and TimeoutError."""


class Webhook:
    """Sends messages by HTTP."""

    def __init__(self, settings: NotifierSettings) -> None:
        assert settings.url is not None
        self._settings = settings
        self._url = settings.url
        self.name = f"webhook at {_http.place(settings.url)}"

    def send(self, message: Message) -> None:
        """Send one message."""
        chosen = self._settings
        is_json = chosen.content_type.partition(";")[0].strip().lower() == _JSON
        text = (
            message.as_json()
            if chosen.body is None
            else message.filled(chosen.body, as_json=is_json)
        )
        headers = {"Content-Type": chosen.content_type, **chosen.headers}
        asked = _http.Asked(url=self._url, method="POST", headers=headers, body=text.encode())
        try:
            status = _http.perform(asked, chosen.timeout)
        except _http.Unanswered as error:
            raise Unsent(str(error)) from None
        if 200 <= status < 300:
            return
        if status >= 500 or status in _TRY_AGAIN:
            raise Unsent(f"it answers with status {status}")
        raise Refused(f"it answers with status {status}")


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
                    self._letter(message), self._settings.mail_from, list(self._settings.mail_to)
                )
        except smtplib.SMTPRecipientsRefused as error:
            told = "; ".join(f"{to}: {_answer(*why)}" for to, why in error.recipients.items())
            is_final = all(code >= 500 for code, _ in error.recipients.values())
            raise (Refused if is_final else Unsent)(told) from None
        except smtplib.SMTPResponseException as error:
            told = _answer(error.smtp_code, error.smtp_error)
            raise (Refused if error.smtp_code >= 500 else Unsent)(told) from None
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(str(error).lower()) from None
        except smtplib.SMTPException as error:
            raise Unsent(str(error).lower()) from None

    def _connected(self) -> smtplib.SMTP:
        chosen = self._settings
        where = (chosen.smtp_host, chosen.smtp_port)
        if chosen.smtp_security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=chosen.timeout, context=context)
        else:
            server = smtplib.SMTP(*where, timeout=chosen.timeout)
        try:
            if chosen.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if chosen.smtp_user:
                server.login(chosen.smtp_user, chosen.smtp_password or "")
        except BaseException:
            server.close()
            raise
        return server

    def _letter(self, message: Message) -> EmailMessage:
        chosen = self._settings
        letter = EmailMessage()
        # A name may hold a line's end, and a header may not.
        letter["Subject"] = " ".join(message.filled(chosen.subject).split())
        letter["From"] = chosen.mail_from
        letter["To"] = ", ".join(chosen.mail_to)
        letter["Date"] = formatdate(localtime=True)
        letter["Message-ID"] = make_msgid(domain=message.host or None)
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.filled(chosen.text))
        return letter


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"
