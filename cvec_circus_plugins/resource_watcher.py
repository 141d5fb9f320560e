"""ResourceWatcher: processes that use too much, or too little, are replaced.

Every ``loop_rate`` seconds the daemon is asked what the processes use. A limit that was broken at
more than ``max_count`` looks in a row has a consequence; each limit is counted by itself, for each
subject (`_resources.py`). What was done is told as an event, and counted in statsd.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import BOOLEAN, CallError, ConfigError, option
from cvec_circus_plugins._resources import (
    MEMORY,
    PERCENT,
    Limits,
    Memory,
    Subject,
    UsageMeter,
    Verdict,
    children,
    format_amount,
    process_subject,
    total,
    watcher_subject,
)
from cvec_circus_plugins.statsd import PLUGIN_PREFIX, Observer, ObserverSettings, metric_name

log = logging.getLogger("circus.plugins.resource_watcher")

EVENT = "resource_limit"
RESTART, RELOAD, REPLACE, WARN = "restart", "reload", "replace", "warn"
PROCESS, TOTAL = "process", "total"

Key = tuple[str, int | None, int | None, str]
"""Whose count it is: watcher, process, child, limit."""


@dataclass(frozen=True, kw_only=True)
class ResourceSettings(ObserverSettings):
    """What may be used, by whom, and what follows."""

    watcher: str = option(
        "",
        api.TEXT,
        "watcher that is looked after; several are separated by commas, and may be patterns such "
        "as web*",
        aliases=("service",),
    )
    max_cpu: float | None = option(90.0, PERCENT, "most percent of a processor")
    min_cpu: float | None = option(None, PERCENT, "least percent of a processor; 0 means idle")
    max_mem: Memory | None = option(
        Memory(90), MEMORY, "most memory, in percent of the machine's or with a unit: 512M, 2G"
    )
    min_mem: Memory | None = option(None, MEMORY, "least memory")
    health_threshold: float | None = option(
        75.0, PERCENT, "most that the mean of the percentages of processor and memory may be"
    )
    max_count: int = option(
        3, api.at_least(api.INTEGER, 0), "looks in a row that may break a limit without consequence"
    )
    measure: str = option(
        PROCESS,
        api.one_of(PROCESS, TOTAL),
        "hold each process against the limits, or what all of them use together",
    )
    action: str = option(
        RESTART,
        api.one_of(RESTART, RELOAD, REPLACE, WARN),
        "restart or reload the watcher, replace the one process that broke the limit, or only tell",
    )
    include_children: bool = option(
        False, BOOLEAN, "add to a process what its children use, and theirs"
    )
    process_children: bool = option(
        False, BOOLEAN, "hold each direct child of a process against the limits, too"
    )
    child_signal: int = option(15, api.SIGNAL, "signal to a child that breaks a limit")

    def __post_init__(self) -> None:
        """Look for what no single option can see. Raises `ConfigError`."""
        if self.measure == TOTAL and self.action == REPLACE:
            raise ConfigError("measure = total names no process that action = replace could mean")

    @property
    def names(self) -> tuple[str, ...]:
        """The watchers, or patterns of their names."""
        return tuple(name.strip().lower() for name in self.watcher.split(",") if name.strip())

    @property
    def limits(self) -> Limits:
        """The limits among the options."""
        return Limits(self.max_cpu, self.min_cpu, self.max_mem, self.min_mem, self.health_threshold)


class ResourceWatcher(Observer):
    """Restarts a watcher whose processes use too much, or too little.

    A limit has a consequence when it is broken at more than ``max_count`` looks in a row. The event
    ``resource_limit`` tells it, and statsd counts ``_resource_watcher.WATCHER.LIMIT`` for each look
    that breaks ``over_cpu``, ``under_cpu``, ``over_memory``, ``under_memory`` or ``over_health``,
    and ``restarting`` and ``error`` besides. The processor is measured from one look to the next.
    What may not be read counts as 100 percent.
    """

    name = "resource_watcher"
    settings_type: ClassVar[type[ResourceSettings]] = ResourceSettings
    settings: ResourceSettings

    def handle_config(self) -> None:
        """Look whether somebody is named. Raises `ConfigError`."""
        super().handle_config()
        if not self.settings.names:
            raise ConfigError("watcher is missing: the name of the one to look after")
        self.limits = self.settings.limits
        self.meter = UsageMeter(with_children=self.settings.include_children)
        self.counts: dict[Key, int] = {}
        self._last_complaint = ""

    async def look_after(self) -> None:
        """Look at the processes of all that are looked after."""
        infos = await self._infos()
        if infos is None or self.loop is None:
            return
        now = self.loop.time()
        self.meter.begin()
        judged: set[Key] = set()
        for watcher, processes in infos.items():
            for subject in tuple(self._subjects(processes, now)):
                broken = self._exceeded(watcher, subject, judged)
                if broken and not await self._act(watcher, subject, broken[0]):
                    self.statsd.incr(f"{_counter(watcher)}.error")
                if broken and subject.pid is None:
                    break  # Its processes are replaced, and their children with them.
        self.counts = {key: count for key, count in self.counts.items() if key in judged}

    async def _infos(self) -> dict[str, Mapping[str, Any]] | None:
        names = self.settings.names
        by_name = len(names) == 1 and not set(names[0]) & set("*?[")
        try:
            reply = await (self.acall("stats", name=names[0]) if by_name else self.acall("stats"))
        except CallError as error:
            reply = {"status": "error", "reason": str(error)}
        if reply.get("status") == "error":
            self._complain(api.escaped(reply.get("reason")))
            self.statsd.incr(f"{_counter(names[0])}.error")
            return None
        self._last_complaint = ""
        if by_name:
            return {names[0]: reply["info"]}
        return {
            watcher: infos
            for watcher, infos in reply["infos"].items()
            if not watcher.startswith(PLUGIN_PREFIX)
            and any(fnmatchcase(watcher.lower(), name) for name in names)
        }

    def _complain(self, complaint: str) -> None:
        if complaint != self._last_complaint:
            log.warning("resource_watcher: %s", complaint)
        self._last_complaint = complaint

    def _subjects(self, infos: Mapping[str, Any], now: float) -> Iterator[Subject]:
        processes = [info for info in infos.values() if isinstance(info, Mapping)]
        loads = [self.meter.load(info, now) for info in processes]
        if not processes:
            return
        if self.settings.measure == TOTAL:
            yield process_subject(total(loads))
        elif self.settings.action == REPLACE:
            for info, load in zip(processes, loads, strict=True):
                yield process_subject(load, pid=info["pid"], wid=info.get("wid"))
        else:
            yield watcher_subject(loads)
        if self.settings.process_children:
            for info in processes:
                for child in children(info):
                    load, wid = self.meter.load(child, now), info.get("wid")
                    yield process_subject(load, pid=info["pid"], wid=wid, child=child["pid"])

    def _exceeded(self, watcher: str, subject: Subject, judged: set[Key]) -> list[Verdict]:
        """Count, and return what has been broken too often."""
        exceeded = []
        for verdict in self.limits.verdicts(subject):
            key = watcher, subject.pid, subject.child, verdict.limit
            judged.add(key)
            if verdict.broken:
                self.statsd.incr(f"{_counter(watcher)}.{verdict.limit}")
                self.counts[key] = self.counts.get(key, 0) + 1
            elif verdict.broken is False:
                self.counts.pop(key, None)
            if self.counts.get(key, 0) > self.settings.max_count:
                exceeded.append(verdict)
        return exceeded

    async def _act(self, watcher: str, subject: Subject, verdict: Verdict) -> bool:
        action = self.settings.action if subject.child is None else "signal"
        log.warning(
            "watcher %s: %s %s: %s, allowed are %s; %s follows",
            *(
                watcher,
                _subject_name(subject),
                verdict.limit,
                format_amount(verdict.value, verdict.unit),
            ),
            *(format_amount(verdict.allowed, verdict.unit), action),
        )
        body = {
            "limit": verdict.limit,
            "value": verdict.value,
            "allowed": verdict.allowed,
            "unit": verdict.unit,
            "action": action,
            "process_pid": subject.pid,
            "process_id": subject.wid,
            "child_pid": subject.child,
        }
        await self._send("announce", {"name": watcher, "event": EVENT, "body": body})
        succeeded = action == WARN or await self._send(*self._command(watcher, subject, action))
        if succeeded:
            self._forget(watcher, subject)
            if action != WARN:
                self.statsd.incr(f"{_counter(watcher)}.restarting")
        return succeeded

    def _command(self, watcher: str, subject: Subject, action: str) -> tuple[str, dict[str, Any]]:
        match action:
            case "signal":
                who = {"pid": subject.pid, "childpid": subject.child}
                return "signal", {"name": watcher, "signum": self.settings.child_signal, **who}
            case "replace":
                return "kill", {"name": watcher, "pid": subject.pid}
            case "reload":
                return "reload", {"name": watcher}
            case _:
                return "restart", {"name": watcher, "match": "simple"}

    async def _send(self, command: str, properties: Mapping[str, Any]) -> bool:
        try:
            reply = await self.acall(command, **properties)
        except CallError as error:
            reply = {"status": "error", "reason": str(error)}
        if reply.get("status") == "error":
            log.info("resource_watcher: %s: %s", command, reply.get("reason"))
        return reply.get("status") != "error"

    def _forget(self, watcher: str, subject: Subject) -> None:
        for key in tuple(self.counts):
            whole = subject.pid is None and key[0] == watcher
            if whole or key[:3] == (watcher, subject.pid, subject.child):
                del self.counts[key]


def _counter(watcher: str) -> str:
    return f"_resource_watcher.{metric_name(watcher)}"


def _subject_name(subject: Subject) -> str:
    if subject.child is not None:
        return f"child {subject.child} of process {subject.pid}"
    return "its processes" if subject.pid is None else f"process {subject.pid}"
