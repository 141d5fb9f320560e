"""Numbers gathered and compared; nothing here knows where they come from."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Medians = dict[str, dict[str, float]]  # measure -> peer -> median


@dataclass(slots=True)
class Results:
    """All samples of one run, and whatever must be said beside them."""

    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    conditions: dict[str, str | int | float] = field(default_factory=dict)

    def add(self, peer: str, values: Mapping[str, float]) -> None:
        for measure, value in values.items():
            self.samples.setdefault(measure, {}).setdefault(peer, []).append(value)

    def medians(self) -> Medians:
        return {
            measure: {peer: statistics.median(values) for peer, values in by_peer.items()}
            for measure, by_peer in self.samples.items()
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all do not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratio(value: float | None, to: float | None) -> float | None:
    """`value` in multiples of `to`, where both are known and a multiple means something."""
    if value is None or not to:
        return None
    return value / to
