"""What is measured, in which unit, and what ours has to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table. `title` may name a size of the run in braces."""

    key: str
    title: str
    unit: str
    digits: int
    limit_peer: str = "bare"  # ratios are told to this peer

    def show(self, value: float) -> str:
        """A value with its unit; a large one without digits that mean nothing."""
        digits = 0 if value >= 100 else min(self.digits, 1) if value >= 10 else self.digits
        return f"{value:.{digits}f} {self.unit}"


MEASURES = (
    Measure("start", "start of {processes} processes", "s", 2),
    Measure("first", "until the first one runs", "s", 3),
    Measure("replacement_p50", "killed → replacement runs, p50", "ms", 2),
    Measure("replacement_p95", "killed → replacement runs, p95", "ms", 2),
    Measure("all_back", "all killed at once → all back", "s", 2),
    Measure("idle_cpu", "CPU when idle", "%", 3),
    Measure("memory", "memory of the daemon (PSS)", "MB", 1),
    Measure("stop", "stop of {processes} processes", "s", 2),
    Measure("gone", "until the daemon has ended too", "s", 2),
    Measure("many_start", "start of {many} processes", "s", 2),
    Measure("many_idle_cpu", "CPU when idle, {many} processes", "%", 3),
    Measure("many_memory", "memory, {many} processes (PSS)", "MB", 1),
    Measure("kept_start", "start of {processes} processes, output kept or not", "s", 3, "unkept"),
    Measure("kept_memory", "memory, output kept or not (PSS)", "MB", 1, "unkept"),
    Measure("kept_idle_cpu", "CPU when idle, output kept or not", "%", 3, "unkept"),
    Measure("round_trip", "round trip of a small request", "ms", 3, "circus"),
    Measure("pipelined", "pipelined requests", "1/s", 0, "circus"),
    Measure("status", "status of {watchers} watchers", "ms", 2, "circus"),
    Measure("stats_unheard", "statistics of {processes}, nobody listens", "%", 3, "circus"),
    Measure("stats_heard", "statistics of {processes}, one subscriber", "%", 2, "circus"),
    Measure("stats_all", "stats of {processes} processes", "ms", 0, "circus"),
    Measure("stats_all_meanwhile", "another request meanwhile, at worst", "ms", 1, "circus"),
    Measure("circusctl", "circusctl numprocesses NAME", "ms", 0, "circus"),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


class Verdict(Enum):
    MET = "met"
    MISSED = "MISSED"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """One of ours against `factor` times the value of `peer`, or against `factor` itself without.

    With `more`, the value of the peer may be exceeded by so much instead.
    """

    measure: str
    factor: float
    peer: str | None = None
    at_least: bool = False
    whose: str = "ours"
    more: float = 0.0

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        whose = "" if self.whose == "ours" else f"{self.whose} "
        unit = BY_KEY[self.measure].unit
        if self.peer is None:
            return f"{whose}< {self.factor:g} {unit}"
        times = "" if self.factor == 1 else f"{self.factor:g} x "
        more = f" + {self.more:g} {unit}" if self.more else ""
        return f"{whose}{sign} {times}{self.peer}{more}"

    def judge(self, medians: Mapping[str, Mapping[str, float]]) -> Verdict:
        by_peer = medians.get(self.measure, {})
        value = by_peer.get(self.whose)
        if self.peer is None:
            return Verdict.UNKNOWN if value is None else _verdict(value < self.factor)
        other = by_peer.get(self.peer)
        if value is None or other is None:
            return Verdict.UNKNOWN
        bound = self.factor * other + self.more
        return _verdict(value >= bound if self.at_least else value <= bound)


def _verdict(met: bool) -> Verdict:
    return Verdict.MET if met else Verdict.MISSED


TARGETS = (
    Target("start", 1.5, "bare"),
    Target("replacement_p50", 2, "bare"),
    Target("replacement_p50", 1, "runit"),
    Target("all_back", 1.5, "bare"),
    Target("idle_cpu", 0.05),
    Target("memory", 1, "circus"),
    Target("stop", 1, "circus"),
    Target("many_start", 1.5, "bare"),
    Target("many_idle_cpu", 0.05),
    Target("kept_start", 1.05, "unkept"),
    Target("kept_memory", 1.1, "unkept"),
    Target("kept_idle_cpu", 0.05),
    Target("start", 1.15, "ours", whose="keeper"),
    Target("many_start", 1.15, "ours", whose="keeper"),
    Target("replacement_p50", 1, "ours", whose="keeper", more=0.5),
    Target("idle_cpu", 0.005, whose="keeper"),
    Target("many_idle_cpu", 0.005, whose="keeper"),
    Target("memory", 1, "circus", whose="keeper"),
    Target("round_trip", 1, "circus"),
    Target("pipelined", 2, "circus", at_least=True),
    Target("status", 1, "circus"),
    Target("circusctl", 0.6, "circus"),
    Target("stats_unheard", 0.05),
    Target("stats_heard", 0.1, "circus"),
    Target("stats_all", 100),
    Target("stats_all_meanwhile", 20),
)
