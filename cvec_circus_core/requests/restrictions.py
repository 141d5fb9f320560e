"""What one visitor may in one request, and the sentences for all else."""

from __future__ import annotations

from cvec_circus_core.model.access import Caller, KeyHolder, NotAllowed
from cvec_circus_core.model.specs import WatcherSpec


class Restrictions:
    """What one visitor may in one request, and the sentence for all else."""

    __slots__ = ("acts", "command", "visitor")

    def __init__(self, visitor: Caller, command: str, *, acts: bool) -> None:
        self.visitor = visitor
        self.command = command
        self.acts = acts

    def may_see(self, spec: WatcherSpec) -> bool:
        """Tell whether a watcher is there at all, for this visitor."""
        return self.visitor.rights.reading or self.may_act_on(spec)

    def may_act_on(self, spec: WatcherSpec) -> bool:
        """Tell whether he may start and stop it."""
        return self.visitor.rights.may_operate(spec.allow_users)

    def refusal(self) -> NotAllowed:
        """Return the error for what is none of his business."""
        remedy = self._remedy("allow_users" if self.acts else "viewers")
        return NotAllowed(f"{self.visitor.name} may not use {self.command!r}; {remedy} lets them")

    def refusal_of_secrets(self) -> NotAllowed:
        """Return the error for what only those may who may do everything."""
        remedy = self._remedy("allow_users")
        return NotAllowed(f"{self.visitor.name} may not use {self.command!r}; {remedy} lets them")

    def refusal_of(self, watcher: str) -> NotAllowed:
        """Return the error for a watcher that he sees and may not touch."""
        remedy = f"allow_users in [watcher:{watcher}] or [circus]"
        if isinstance(self.visitor.caller, KeyHolder):
            remedy = f"allow_users in [watcher:{watcher}] or {self._remedy('allow_users')}"
        return NotAllowed(
            f"{self.visitor.name} may not use {self.command!r} on {watcher}; {remedy} lets them"
        )

    def _remedy(self, lists: str) -> str:
        if isinstance(self.visitor.caller, KeyHolder):
            role = "viewer" if lists == "viewers" else "operator"
            return f"circusctl authorize --role {role}"
        return f"{lists} in [circus]"
