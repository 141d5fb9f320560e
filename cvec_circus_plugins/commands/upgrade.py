"""The command upgrade."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_core.api import Piece, Session, Supervisor

_LONGEST = 60.0
"""Seconds beside those of watching until the outcome has to be known."""
_PAUSE, _PATIENCE = 0.1, 2.0
_USUAL = {"watch": 5.0, "limit": 30.0}
_UNDER_WAY = "under way"


class UpgradeRequest(Request):
    """What upgrade takes."""

    to: str | None = prop(None, "folder of a virtual environment; the daemon's own when not given")
    watch: float = prop(5.0, "seconds for which the new daemon is watched once it serves")
    limit: float = prop(30.0, "seconds until the new daemon has to serve")


class Upgrade(Command):
    """Have the daemon go on with the code that is installed now; no process notices.

    For a daemon with `keeper = True`. The code is that of its own environment, as after `pip
    install -U`, or of another virtual environment. It is loaded once in a process of its own
    first; where that fails, nothing is changed. Then the brain of the daemon is exchanged and, when
    that has proved itself, the keeper, in its process: pids, output and sockets stay. If the new
    brain dies, does not serve within `limit` seconds, or does not answer after the time for which
    it is watched, the one before is started again, which needs its environment to be as it was.

    Request::

        {"command": "upgrade", "properties": {"to": "/srv/circus-2", "watch": 5.0, "limit": 30.0}}

    The reply has the number of the upgrade, and the version of the new code. It comes before the
    exchange, whose outcome dstats tells under `upgrade`: "under way", "done", or "failed: …". The
    command line waits for it::

        {"status": "ok", "time": 1332265655.9, "number": 1, "version": "0.2.0"}

    Command line::

        circusctl upgrade [--to VENV] [--watch SECONDS] [--limit SECONDS]
    """

    name = "upgrade"
    request = UpgradeRequest
    for_operators = True

    async def execute(self, supervisor: Supervisor, request: UpgradeRequest) -> Mapping[str, Any]:
        """Check the code, and have the exchange begin."""
        return await supervisor.upgrade(request.to, request.watch, request.limit)

    def follow(
        self,
        session: Session,
        arguments: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]],
    ) -> Iterator[Piece]:
        """Wait for the outcome."""
        return _until_over(session, requests[0])


def _until_over(session: Session, properties: Mapping[str, Any]) -> Iterator[Piece]:
    reply = session.call("upgrade", properties)
    if reply["status"] != "ok":
        raise api.Refused(reply)
    seconds = sum(float(properties.get(key, usual)) for key, usual in _USUAL.items())
    deadline = api.Deadline(seconds + _LONGEST)
    outcome = _UNDER_WAY
    while outcome == _UNDER_WAY and deadline.left():
        Event().wait(_PAUSE)
        outcome = _outcome(session, reply["number"])
    if outcome != "done":
        reason = f"the upgrade to version {reply['version']} {outcome}"
        raise api.Refused({"status": "error", "reason": reason, "errno": 0, "tb": None})
    yield api.Piece(reply, f"the daemon goes on with version {reply['version']}\n".encode())


def _outcome(session: Session, number: int) -> str:
    try:
        facts = session.call("dstats", {}, _PATIENCE).get("daemon", {})
    except api.CallError:
        return _UNDER_WAY
    upgrade = facts.get("upgrade", {})
    return str(upgrade["outcome"]) if upgrade.get("number") == number else _UNDER_WAY
