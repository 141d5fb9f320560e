"""May they? What a caller gets to see of the daemon for one command."""

from __future__ import annotations

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.ports import Supervisor
from cvec_circus_core.model.access import Caller, NotAllowed, Stranger
from cvec_circus_core.requests.restricted import Restrictions, restricted


def admitted(supervisor: Supervisor, caller: Caller, command: Command) -> Supervisor:
    """Return the daemon as this caller may use it. Raises `NotAllowed` for who may nothing."""
    rights = caller.rights
    if rights.everything:
        return supervisor
    limits = Restrictions(caller, command.name, acts=command.acts)
    if isinstance(caller.identity, Stranger):
        raise NotAllowed(
            f"who calls can not be told ({caller.identity.why}), so nothing is allowed"
        )
    if command.for_operators:
        raise limits.refusal()
    is_listed = any(
        rights.may_operate(watcher.spec.allow_users) for watcher in supervisor.watchers()
    )
    if not (is_listed or (rights.reading and not command.acts)):
        raise limits.refusal()
    return restricted(supervisor, limits)
