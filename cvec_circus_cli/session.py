"""What circusctl does for a command that goes on until it is interrupted; see `Session`."""

from __future__ import annotations

import json
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cvec_circus_cli import exit_codes
from cvec_circus_cli.output import complain, print_reply
from cvec_circus_cli.requests import check_listener
from cvec_circus_cli.settings import DEFAULT_TIMEOUT, read_endpoint
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_cli.requests import Connection
    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import CircusConsumer, Command, Piece


def print_pieces(settings: Settings, command: Command, pieces: Iterator[Piece]) -> int:
    """Print what comes, and return the exit code when interrupted. Raises CallError, UsageError."""
    # A generator is closed by us, so that its subscription ends with the command.
    with closing(pieces):  # type: ignore[type-var]
        try:
            for piece in pieces:
                _print_piece(settings, piece)
        except api.Refused as error:
            return print_reply(settings, command, error.reply)
        except KeyboardInterrupt:
            sys.stdout.flush()
    return exit_codes.OK


def _print_piece(settings: Settings, piece: Piece) -> None:
    if settings.is_json:
        print(json.dumps(dict(piece.content), sort_keys=settings.prettify), flush=True)
        return
    sys.stdout.flush()
    data = piece.data
    if settings.shows_escapes:
        data = api.visible(data.decode(errors="backslashreplace")).encode(errors="backslashreplace")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class EventSubscription:
    """Events as they come; see `Events`."""

    def __init__(self, consumer: CircusConsumer, trouble: api.CallError | None) -> None:
        self.endpoint: str = consumer.endpoint
        self.trouble = trouble
        self._consumer = consumer

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """Return the topic and the body of the next event, None where none comes in time."""
        return self._consumer.receive(timeout)


class CommandSession:
    """Asks the daemon that the settings mean, and hears its events."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.endpoint = settings.endpoint
        self._settings = settings
        self._connection = connection

    def call(
        self, command: str, properties: Mapping[str, Any], patience: float | None = None
    ) -> Mapping[str, Any]:
        """Return the reply to a request. Raises CallError."""
        if patience is not None:
            return self._connection.call_within(patience, command, properties)
        return self._connection.call(command, properties)

    @contextmanager
    def events(
        self, topics: Sequence[str], endpoint: str, patience: float | None = None
    ) -> Iterator[EventSubscription]:
        """Subscribe to topics. Raises NotLetIn, BadEndpoint."""
        settings = self._settings
        consumer = api.CircusConsumer(
            topics,
            endpoint=reachable(read_endpoint("ENDPOINT", endpoint), settings.control_endpoint),
            ssh_server=settings.ssh,
            ssh_keyfile=settings.ssh_keyfile,
            keys=settings.keys,
            trust_user=settings.trusted_users,
        )
        timeout = settings.timeout or DEFAULT_TIMEOUT
        if patience is not None:
            timeout = min(timeout, patience)
        with consumer:
            if settings.ssh is None:
                check_listener(consumer.endpoint, settings.trusted_users)
            if not settings.waits_for_daemon:
                consumer.refuse_nothing()
            trouble = None if consumer.wait_connected(timeout) else consumer.trouble(timeout)
            if patience is None and isinstance(trouble, api.NotLetIn):
                raise trouble
            if settings.ssh is None:
                check_listener(consumer.endpoint, settings.trusted_users)
            yield EventSubscription(consumer, trouble)

    def tell(self, sentence: str, *, is_hint: bool = False) -> None:
        """Tell people something on standard error; a hint only where that is a terminal."""
        if not is_hint or sys.stderr.isatty():
            complain(sentence)


def reachable(endpoint: str, control: str) -> str:
    """Return where we reach an endpoint that is bound to every address of the daemon's machine."""
    address = urlsplit(endpoint)
    if address.scheme != "tcp" or address.hostname not in ("0.0.0.0", "*", "::"):  # noqa: S104 – asked, not bound
        return endpoint
    return f"tcp://{urlsplit(control).hostname or '127.0.0.1'}:{address.port}"
