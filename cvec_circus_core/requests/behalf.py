"""Asking on behalf of a person: how a program says for whom it asks, such as the web console.

The program has signed the person in, and the daemon takes its word for who that is and which role
they have. That needs no trust, for it can only take rights away: what the program itself may not,
it may not for anybody. The audit names both, the person and the program.
"""

from __future__ import annotations

from cvec_circus_core.model.access import INSIDE, Caller, SignedIn, Stranger
from cvec_circus_core.model.messages import RequestMessage
from cvec_circus_core.model.text import escaped, quoted
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.permission import narrowed


def on_behalf(caller: Caller, message: RequestMessage) -> Caller:
    """Return the caller that a request counts for: the person whom it names, or who sends it.

    Which of the daemon's own threads it comes from, a plugin in one says itself.
    """
    identity, person = caller.identity, message.person
    if message.plugin is not None and identity == INSIDE:
        caller = replace(caller, name=f"plugin {escaped(message.plugin)}")
    if person is None or isinstance(identity, SignedIn | Stranger):
        return caller
    return Caller(
        SignedIn(person, identity, caller.name),
        f"person {quoted(person.name)}",
        narrowed(caller.rights, person.role),
    )
