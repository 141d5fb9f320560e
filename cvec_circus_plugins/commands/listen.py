"""The command listen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cvec_circus_core.api import Piece, Prop, Questions, Session, Supervisor

EVENT_ENDPOINT = "tcp://127.0.0.1:5556"
_LONG = 3600.0
_PATIENCE = 1.0


class ListenLine(Request):
    """What listen takes on the command line."""

    topics: list[str] = prop(
        (), "beginning of a topic, or an endpoint", positional=True, many=True, metavar="TOPIC"
    )


class Listen(Command):
    """Print events as they happen, until interrupted.

    Events are published on an endpoint of their own, which the daemon is asked for, as two frames:
    the topic `watcher.NAME.EVENT`, and a JSON object. Events are spawn, reap, kill, start, stop,
    add, remove, updated, reload, hook_success and hook_failure. Without a topic all are printed; an
    argument with :// in it is the endpoint of the events, and no daemon is asked then.

    There is no request: the control endpoint answers it with an error. Command line::

        circusctl listen [ENDPOINT] [TOPIC...]

    A line per event::

        watcher.web.spawn: {"process_id": 1, "process_pid": 4711, "time": 1332265655.9}
    """

    name = "listen"
    command_line = ListenLine
    acts = False
    over_hosts = "at once"

    async def execute(self, supervisor: Supervisor, request: Request) -> dict[str, Any]:
        """Refuse: events are subscribed to, not asked for."""
        raise api.BadMessage("invalid message. use a pub/sub socket")

    def complete(self, prop: Prop, words: Sequence[str], questions: Questions) -> Iterable[str]:
        """Offer a topic per watcher."""
        watchers = questions.names_of("watcher", words)
        return [f"watcher.{api.topic_name(name)}." for name in watchers]

    def follow(
        self,
        session: Session,
        arguments: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]],
    ) -> Iterator[Piece]:
        """Print a line per event."""
        words = arguments.get("topics", ())
        endpoints = [word for word in words if "://" in word]
        topics = [word for word in words if "://" not in word]
        endpoint = endpoints[-1] if endpoints else _event_endpoint(session)
        return _events(session, topics, endpoint)


def _event_endpoint(session: Session) -> str:
    """Ask the daemon; an endpoint that does not answer is taken for that of the events itself."""
    try:
        reply = session.call("globaloptions", {"option": "pubsub_endpoint"}, _PATIENCE)
    except api.NoAnswer:
        if session.endpoint is None:
            raise
        return session.endpoint
    if reply.get("errno") == api.Errno.NOT_ALLOWED:
        # Some may hear events of their watchers, and nothing else.
        session.tell(f"{reply.get('reason')}; trying {EVENT_ENDPOINT}")
    options = reply.get("options") or {}
    return str(options.get("pubsub_endpoint") or EVENT_ENDPOINT)


def _events(session: Session, topics: Sequence[str], endpoint: str) -> Iterator[Piece]:
    with session.events(topics or ["", "audit."], endpoint) as events:
        if events.trouble is not None:
            session.tell(_waiting_for(events.endpoint, events.trouble))
        else:
            # Who may not hear events is told nothing: a subscription has no answer.
            topic_list = ", ".join(topics) or "all topics"
            session.tell(
                f"listening at {events.endpoint} for {topic_list}; Ctrl-C ends it. (Nothing comes? "
                "The log of the daemon says who may not listen.)",
                is_hint=True,
            )
        while True:
            received = events.receive(_LONG)
            if received is not None:
                yield event_piece(*received)


def _waiting_for(endpoint: str, trouble: api.CallError) -> str:
    if isinstance(trouble, api.NothingListens):
        return f"nothing listens at {endpoint} so far; waiting for it"
    # A daemon ends the connections of those who may not hear events; it has no words for them.
    return (
        f"{endpoint} takes connections, but does not keep ours: no event endpoint, or you may not "
        "listen (see viewers in [circus], and the daemon's log); trying on"
    )


def event_piece(topic: bytes, body: bytes) -> Piece:
    """Return what is printed of one event."""
    name = topic.decode(errors="replace")
    content = _content(body)
    line = f"{name}: {json.dumps(content)}\n"
    return api.Piece({"topic": name, "body": content}, line.encode())


def _content(body: bytes) -> object:
    try:
        content: object = json.loads(body)
    except ValueError:
        content = body.decode(errors="replace")
    return content
