"""What a brain may ask of its keeper about managed sockets; each verb is a method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.system.keeper_client.handover import KeptSocket
from cvec_circus_core.system.net.owned_sockets import OwnedSockets


class SocketService:
    """Opens sockets, keeps them, and tells of connections; an answer is the word ``answer``."""

    def __init__(
        self,
        sockets: OwnedSockets,
        tell: Callable[..., None],
        on_kept: Callable[[BindPlan, OpenSocket], None],
    ) -> None:
        """``tell`` tells the present brain; ``on_kept`` is called with each that is kept anew."""
        self._sockets = sockets
        self._tell = tell
        self._on_kept = on_kept
        self._opened: dict[int, KeptSocket] = {}
        """Opened and not kept yet, by number."""
        self._kept: dict[str, KeptSocket] = {}
        self._watches: dict[int, Callable[[], None]] = {}
        self.verbs: Mapping[str, Callable[..., None]] = {
            "open": self._open,
            "adjust": self._adjust,
            "keep": self._keep,
            "discard": self._discard,
            "close": self._close,
            "close_all": self._close_all,
            "watch": self._watch,
            "unwatch": self._unwatch,
        }

    def kept(self) -> list[KeptSocket]:
        """Return those that are kept."""
        return list(self._kept.values())

    def adopt(self, sockets: Iterable[KeptSocket]) -> None:
        """Have what another keeper has kept."""
        for plan, opened in sockets:
            self._sockets.adopt(plan, opened)
            self._kept[opened.name] = (plan, opened)

    def leave(self) -> None:
        """Do nothing more for a brain that is gone: what it has not kept is given back."""
        for end in self._watches.values():
            end()
        self._watches.clear()
        for number in tuple(self._opened):
            self._discard_opened(number)

    def _open(self, plan: Mapping[str, Any]) -> None:
        bind_plan = BindPlan(**plan)
        self._answer_opened(bind_plan, partial(self._sockets.open, bind_plan), self._opened)

    def _adjust(self, name: str, plan: Mapping[str, Any]) -> None:
        bind_plan = BindPlan(**plan)
        self._answer_opened(bind_plan, partial(self._sockets.adjust, name, bind_plan), None)

    def _answer_opened(
        self,
        plan: BindPlan,
        act: Callable[[], OpenSocket],
        aside: dict[int, tuple[BindPlan, OpenSocket]] | None,
    ) -> None:
        try:
            opened = act()
        except CannotBind as error:
            self._tell("refused", str(error))
            return
        if aside is None:
            self._have(plan, opened)
        else:
            aside[opened.number] = (plan, opened)
        self._tell("answer", opened._asdict())

    def _keep(self, number: int) -> None:
        self._sockets.keep(number)
        self._have(*self._opened.pop(number))
        self._tell("answer", None)

    def _have(self, plan: BindPlan, opened: OpenSocket) -> None:
        self._kept[opened.name] = (plan, opened)
        self._on_kept(plan, opened)

    def _discard(self, number: int) -> None:
        self._discard_opened(number)
        self._tell("answer", None)

    def _discard_opened(self, number: int) -> None:
        self._sockets.discard(number)
        del self._opened[number]

    def _close(self, name: str) -> None:
        self._sockets.close(name)
        del self._kept[name]
        self._tell("answer", None)

    def _close_all(self) -> None:
        self._sockets.close_all()
        self._opened.clear()
        self._kept.clear()
        self._tell("answer", None)

    def _watch(self, number: int, name: str) -> None:
        # One word is enough for as long as nobody accepts: the brain watches anew if it wants.
        def on_connection() -> None:
            self._watches.pop(number)()
            self._tell("connected", number)

        self._watches[number] = self._sockets.watch(name, on_connection)

    def _unwatch(self, number: int) -> None:
        if number in self._watches:
            self._watches.pop(number)()
        self._tell("answer", None)
