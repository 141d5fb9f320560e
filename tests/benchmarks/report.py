"""The results as a table for people and as JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.measures import MEASURES, TARGETS, Measure, Verdict
from tests.benchmarks.peers import PEERS
from tests.benchmarks.results import Medians, Results, ratio


def table(results: Results) -> str:
    """Medians with their ratio to the limit, one column a peer, and the targets of ours."""
    medians = results.medians()
    peers = [name for name in PEERS if any(name in row for row in medians.values())]
    rows = [["", *peers, "target", ""]]
    for measure in MEASURES:
        if measure.key in medians:
            rows += _lines(measure, medians, peers, results)
    return "\n".join([*_aligned(rows), "", *_remarks(results)])


def _lines(
    measure: Measure, medians: Medians, peers: Sequence[str], results: Results
) -> list[list[str]]:
    by_peer = medians[measure.key]
    cells = [title(measure, results), *(cell(measure, by_peer, peer) for peer in peers)]
    shown = {"ours", *peers}
    targets = [each for each in TARGETS if each.measure == measure.key and each.whose in shown]
    ends = [[str(each), each.judge(medians).value] for each in targets] or [["", ""]]
    later = [[""] * len(cells) + end for end in ends[1:]]
    return [cells + ends[0], *later]


def title(measure: Measure, results: Results) -> str:
    """The measure's title with the sizes of this run."""
    return measure.title.format_map(results.conditions)


def cell(measure: Measure, by_peer: dict[str, float], peer: str) -> str:
    """One median with its unit and, in brackets, its multiple of the limit."""
    if peer not in by_peer:
        return "-"
    text = measure.show(by_peer[peer])
    times = ratio(by_peer[peer], by_peer.get(measure.limit_peer))
    if times is None or peer == measure.limit_peer or measure.unit == "%":
        return text
    return f"{text} ({times:.2g}x)" if times < 100 else f"{text} ({times:.0f}x)"


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.ljust(width) if column in (0, len(row) - 2, len(row) - 1) else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _remarks(results: Results) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    conditions = ", ".join(f"{key} {value}" for key, value in results.conditions.items())
    return [
        "Medians; in brackets the multiple of bare, or of circus where bare has no control.",
        f"Peers: {versions}.",
        f"Conditions: {conditions}.",
        *(f"Left out: {name} ({reason})." for name, reason in results.missing.items()),
        *(f"Failed: {text}" for text in results.failures),
    ]


def missed(results: Results) -> list[str]:
    """The targets that were measured and missed."""
    medians = results.medians()
    return [f"{each.measure} {each}" for each in TARGETS if each.judge(medians) is Verdict.MISSED]


def write_json(results: Results, path: Path) -> None:
    medians = results.medians()
    document = {
        **asdict(results),
        "medians": medians,
        "ratios": {
            measure.key: {
                peer: ratio(value, medians[measure.key].get(measure.limit_peer))
                for peer, value in medians[measure.key].items()
            }
            for measure in MEASURES
            if measure.key in medians
        },
        "targets": [
            {"measure": each.measure, "target": str(each), "verdict": each.judge(medians).value}
            for each in TARGETS
        ],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Results:
    """Results written earlier, to be shown again."""
    document = json.loads(path.read_text())
    return Results(
        **{
            key: document[key]
            for key in ("samples", "versions", "missing", "failures", "conditions")
        }
    )
