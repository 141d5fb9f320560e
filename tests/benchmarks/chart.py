"""The results as one SVG picture for the documentation: a panel a measure, a bar a peer.

Each panel has its own linear scale from zero, so lengths compare within a panel and never between
panels; the value stands beside its bar.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from tests.benchmarks.measures import MEASURES, Measure
from tests.benchmarks.peers import PEERS
from tests.benchmarks.report import title
from tests.benchmarks.results import Results

COLOURS = {"ours": "#2f7d4f", "bare": "#9aa0a6"}
OTHER_COLOUR = "#c9a24b"
COLUMNS, PANEL_WIDTH, BAR, GAP = 2, 460, 16, 6
NAME_WIDTH, VALUE_WIDTH, HEAD, MARGIN = 78, 84, 30, 16
TOLD = frozenset({"first", "gone", "replacement_p95", "many_memory"})  # in the table only


def draw(results: Results) -> str:
    """The picture as the text of an SVG file."""
    medians = results.medians()
    shown = [each for each in MEASURES if each.key in medians and each.key not in TOLD]
    panels: list[str] = []
    top = MARGIN
    for first in range(0, len(shown), COLUMNS):
        row = shown[first : first + COLUMNS]
        for column, measure in enumerate(row):
            left = MARGIN + column * (PANEL_WIDTH + MARGIN)
            heading = title(measure, results)
            panels += _panel(measure, heading, medians[measure.key], left, top)
        top += HEAD + max(len(medians[each.key]) for each in row) * (BAR + GAP) + MARGIN
    width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN)
    return "\n".join([*_head(width, top), *panels, "</svg>", ""])


def write(results: Results, path: Path) -> None:
    path.write_text(draw(results))


def _head(width: int, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]


def _panel(
    measure: Measure, heading: str, by_peer: dict[str, float], left: int, top: int
) -> Sequence[str]:
    better = "more is better" if measure.unit == "1/s" else "less is better"
    lines = [
        f'<text x="{left}" y="{top + 14}" font-weight="bold">{escape(heading)}'
        f'<tspan font-weight="normal" fill="#70757a"> ({measure.unit}, {better})</tspan></text>'
    ]
    longest = max(by_peer.values()) or 1.0
    room = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH
    peers = [peer for peer in PEERS if peer in by_peer]
    for line, peer in enumerate(peers):
        y = top + HEAD + line * (BAR + GAP)
        length = max(1.0, room * by_peer[peer] / longest)
        text = measure.show(by_peer[peer])
        start = left + NAME_WIDTH
        lines += [
            f'<text x="{start - 6}" y="{y + 12}" text-anchor="end">{escape(peer)}</text>',
            f'<rect x="{start}" y="{y}" width="{length:.1f}" height="{BAR}"'
            f' fill="{COLOURS.get(peer, OTHER_COLOUR)}"/>',
            f'<text x="{start + length + 6:.1f}" y="{y + 12}">{escape(text)}</text>',
        ]
    return lines
