"""The stream's bodies, one by one, become snapshots.

The stream tells of each process and each watcher about once a second, in no promised order, and may
lose bodies. So nothing is believed for ever: the pids that a watcher's own body names are the ones
it has, and what was not heard of for a while, and a whole round long, is forgotten. That while is
counted by the stream's own clock, the time of the last body: when nobody talks any more, the last
picture stays, and a stream that is slow on purpose loses nothing.

A round is over when something is told of for the second time; then the totals enter the history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cvec_circus_cli.top.facts import Process, Socket, number, read_process, read_socket, whole
from cvec_circus_cli.top.snapshot import DAEMON, Group, Health, Snapshot, total
from cvec_circus_core import api

REMEMBERED = 120
"""Samples of history that are kept of anything."""
_TOPIC = "stat."
_SOCKETS = "sockets"


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something was heard of: by the clock, and in which round."""

    at: float
    round: int


def _history() -> deque[float]:
    return deque(maxlen=REMEMBERED)


@dataclass(slots=True)
class _ProcessRecord:
    fact: Process
    when: _Moment
    history: deque[float]


@dataclass(slots=True)
class _SocketRecord:
    fact: Socket
    when: _Moment
    history: deque[float] = field(default_factory=_history)


@dataclass(slots=True)
class _GroupRecord:
    when: _Moment
    mean: float | None = None
    processes: dict[int, _ProcessRecord] = field(default_factory=dict)
    history: deque[float] = field(default_factory=_history)

    def cpu(self) -> float:
        return total(process.fact.cpu for process in self.processes.values()) or 0.0

    def memory(self) -> float:
        return total(process.fact.memory for process in self.processes.values()) or 0.0


class Ledger:
    """Takes bodies and keeps what they add up to."""

    def __init__(self, forget_after: float = 3.0) -> None:
        self.forget_after = forget_after
        self.rounds = 0
        """How many rounds have begun."""
        self.heard_at: float | None = None
        self._shown_at = 0.0
        self.healths: Mapping[str, Health] = {}
        self._groups: dict[str, _GroupRecord] = {}
        self._sockets: dict[int, _SocketRecord] = {}
        self._reads: float | None = None
        self._in_round: set[str] = set()
        self._cpu = _history()
        self._memory = _history()

    def take(self, topic: str, body: object, at: float, shown_at: float | None = None) -> None:
        """Take what was published at a moment; what can not be understood is left out.

        Moments are those of any one clock; ``shown_at`` is the Unix time, where that is another.
        """
        if not topic.startswith(_TOPIC) or not isinstance(body, Mapping):
            return
        self._begin(topic)
        self.heard_at = at
        self._shown_at = at if shown_at is None else shown_at
        now = _Moment(at, self.rounds)
        rest = topic[len(_TOPIC) :]
        if rest.partition(".")[0] == _SOCKETS and ("fd" in body or "addresses" in body):
            self._take_socket(body, now)
        elif isinstance(body.get("pid"), list):
            self._take_group(_name(body, rest), body, now)
        else:
            pid = body.get("subtopic", body.get("pid"))
            self._take_process(_name(body, rest.removesuffix(f".{pid}")), body, now)

    def snapshot(self) -> Snapshot:
        """Return what is known now, and forget what was not heard of for too long."""
        self._forget()
        healths = {api.topic_name(name): health for name, health in self.healths.items()}
        groups = [
            _group(name, group, healths.pop(api.topic_name(name), None))
            for name, group in self._groups.items()
        ]
        groups += [Group(health.name, health=health) for health in healths.values()]
        sockets = (
            replace(socket.fact, history=tuple(socket.history)) for socket in self._sockets.values()
        )
        return Snapshot(
            self._shown_at,
            tuple(_without_repeated(groups)),
            tuple(sorted(sockets, key=lambda socket: socket.fd)),
            self._reads,
            tuple(self._cpu),
            tuple(self._memory),
        )

    def _begin(self, topic: str) -> None:
        if topic in self._in_round or not self.rounds:
            if self.rounds:
                self._forget()
                self._cpu.append(sum(group.cpu() for group in self._groups.values()))
                self._memory.append(sum(group.memory() for group in self._groups.values()))
            self.rounds += 1
            self._in_round.clear()
        self._in_round.add(topic)

    def _take_group(self, name: str, body: Mapping[str, Any], now: _Moment) -> None:
        group = self._groups.setdefault(name, _GroupRecord(now))
        group.when = now
        group.mean = number(body.get("cpu"))
        alive = {whole(pid) for pid in body["pid"]}
        for pid in group.processes.keys() - alive:
            del group.processes[pid]
        group.history.append(group.cpu())

    def _take_process(self, name: str, body: Mapping[str, Any], now: _Moment) -> None:
        pid = whole(body.get("pid"))
        if pid is None:
            return
        group = self._groups.setdefault(name, _GroupRecord(now))
        earlier = group.processes.get(pid)
        history = earlier.history if earlier else _history()
        history.append(number(body.get("cpu")) or 0.0)
        fact = read_process(name, body, tuple(history))
        if fact is not None:
            group.processes[pid] = _ProcessRecord(fact, now, history)

    def _take_socket(self, body: Mapping[str, Any], now: _Moment) -> None:
        if "addresses" in body:
            self._reads = number(body.get("reads"))
            return
        fact = read_socket(body)
        if fact is not None:
            socket = self._sockets.setdefault(fact.fd, _SocketRecord(fact, now))
            socket.fact, socket.when = fact, now
            socket.history.append(fact.reads or 0.0)

    def _forget(self) -> None:
        for name, group in list(self._groups.items()):
            for pid, process in list(group.processes.items()):
                if self._is_over(process.when):
                    del group.processes[pid]
            if self._is_over(group.when) and not group.processes:
                del self._groups[name]
        for fd, socket in list(self._sockets.items()):
            if self._is_over(socket.when):
                del self._sockets[fd]

    def _is_over(self, when: _Moment) -> bool:
        is_old = self.heard_at is not None and self.heard_at - when.at > self.forget_after
        return is_old and self.rounds - when.round > 1


def _name(body: Mapping[str, Any], from_topic: str) -> str:
    # The body has the watcher's real name, where its sender knows how to tell it.
    watcher = body.get("watcher")
    return watcher if isinstance(watcher, str) and watcher else from_topic


def _group(name: str, record: _GroupRecord, health: Health | None) -> Group:
    processes = tuple(process.fact for process in record.processes.values())
    return Group(
        health.name if health else name,
        processes,
        record.mean,
        total(process.memory for process in processes),
        max((process.age for process in processes if process.age is not None), default=None),
        health,
        tuple(record.history),
    )


def _without_repeated(groups: list[Group]) -> list[Group]:
    """Leave out watchers whose processes the daemon's own group shows: the statistics process."""
    own = {process.pid for group in groups if group.name == DAEMON for process in group.processes}
    return [
        group
        for group in groups
        if group.name == DAEMON
        or not group.processes
        or not own.issuperset(process.pid for process in group.processes)
    ]
