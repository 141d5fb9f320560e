"""The command listen: prints events until it is interrupted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.output import complain
from cvec_circus_cli.settings import DEFAULT_TIMEOUT, read_endpoint
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvec_circus_cli.settings import Settings

EVENT_ENDPOINT = "tcp://127.0.0.1:5556"


def listen(settings: Settings, words: Sequence[str]) -> int:
    """Print the events of these topics, and return the exit code when interrupted."""
    endpoints = [read_endpoint("ENDPOINT", word) for word in words if "://" in word]
    topics = [word for word in words if "://" not in word]
    endpoint = endpoints[-1] if endpoints else settings.endpoint or EVENT_ENDPOINT
    consumer = api.CircusConsumer(
        topics or [""],
        endpoint=endpoint,
        ssh_server=settings.ssh,
        ssh_keyfile=settings.ssh_keyfile,
        keys=settings.keys,
    )
    with consumer:
        try:
            timeout = settings.timeout or DEFAULT_TIMEOUT
            if not consumer.wait_connected(timeout):
                trouble = consumer.trouble(timeout)
                if isinstance(trouble, api.NotLetIn):
                    raise trouble
                complain(_waiting_for(endpoint, trouble))
            elif sys.stderr.isatty():
                # Who may not hear events is told nothing: a subscription has no answer.
                heard = ", ".join(topics) or "all topics"
                complain(
                    f"listening at {endpoint} for {heard}; Ctrl-C ends it. (Nothing comes? "
                    "The log of the daemon says who may not listen.)"
                )
            for topic, body in consumer:
                print(event_line(settings, topic, body), flush=True)
        except KeyboardInterrupt:
            sys.stdout.flush()
    return exit_codes.OK


def _waiting_for(endpoint: str, trouble: api.CallError) -> str:
    if isinstance(trouble, api.NothingListens):
        return f"nothing listens at {endpoint} so far; waiting for it"
    # A daemon ends the connections of those who may not hear events; it has no words for them.
    return (
        f"{endpoint} takes connections, but does not keep ours: no event endpoint, or you may not "
        "listen (see viewers in [circus], and the daemon's log); trying on"
    )


def event_line(settings: Settings, topic: bytes, body: bytes) -> str:
    """Return the line that tells of one event."""
    name = topic.decode(errors="replace")
    content = _content(body)
    if settings.json or settings.prettify:
        return json.dumps({"topic": name, "body": content}, sort_keys=settings.prettify)
    return f"{name}: {json.dumps(content)}"


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
