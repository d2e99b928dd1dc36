"""Bars as one self-contained SVG picture, readable on a light page and on a dark one."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

ROW, LEFT, BAR, RIGHT = 28, 220, 480, 120
Kind: TypeAlias = Literal["ours", "peer", "plain"]

_STYLE = (
    "<style>.back{fill:#fff}text{fill:#1f2328}.plain,.ours{fill:#4573a8}.peer{fill:#a08d5c}.mark{stroke:#1f2328}"
    "@media(prefers-color-scheme:dark){.back{fill:#0d1117}text{fill:#e6edf3}.plain,.ours{fill:#6ea0da}"
    ".peer{fill:#c9b377}.mark{stroke:#e6edf3}}</style>"
)


@dataclass(frozen=True)
class Bar:
    """``share`` of the full width, from 0 to 1, after ``start`` of it; ``reach``: a thin line to there."""

    label: str
    share: float
    told: str
    kind: Kind = "plain"
    start: float = 0.0
    reach: float | None = None


@dataclass(frozen=True)
class Group:
    """Bars under a heading; ``line``: a share of the width at which a line is drawn through them."""

    heading: str
    bars: Sequence[Bar]
    line: float | None = None


def picture(title: str, groups: Sequence[Group], left: int = LEFT) -> str:
    """The groups one below the other; ``left`` pixels are kept for the bars' labels."""
    rows: list[str] = []
    at = 24
    for group in groups:
        rows.append(f'<text x="8" y="{at}" font-weight="bold">{html.escape(group.heading)}</text>')
        first = at + ROW - 18
        for bar in group.bars:
            at += ROW
            rows += _bar(bar, at, left)
        if group.line is not None:
            rows.append(f'<path class="mark" d="M{left + group.line * BAR:.1f} {first}V{at + 8}" fill="none"/>')
        at += 2 * ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + BAR + RIGHT}" height="{max(at - ROW, ROW)}" '
        f'font-family="sans-serif" font-size="14"><title>{html.escape(title)}</title>{_STYLE}'
        f'<rect class="back" width="100%" height="100%"/>{"".join(rows)}</svg>\n'
    )


def _bar(bar: Bar, at: int, left: int) -> list[str]:
    begin, width = left + bar.start * BAR, bar.share * BAR
    drawn = [
        f'<text x="{left - 8}" y="{at}" text-anchor="end">{html.escape(bar.label)}</text>',
        f'<rect class="{bar.kind}" x="{begin:.1f}" y="{at - 13}" width="{width:.1f}" height="16"/>',
        f'<text x="{left + BAR + 8}" y="{at}">{html.escape(bar.told)}</text>',
    ]
    if bar.reach is not None:
        drawn.append(f'<path class="mark" d="M{left} {at - 5}h{bar.reach * BAR:.1f}m0 -5v10" fill="none"/>')
    return drawn
