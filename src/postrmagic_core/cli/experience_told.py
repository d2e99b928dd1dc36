"""Pages, features and answers as tables and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from ..observability.experience import Adoption, PageFigures, Survey, Week
from .errors_told import bars
from .words import plain

# Where the Core Web Vitals call a figure good and where poor, in seconds; layout shift is a score.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "lcp": (2.5, 4.0),
    "inp": (0.2, 0.5),
    "layout_shift": (0.1, 0.25),
    "first_byte": (0.8, 1.8),
}


def adopted(found: Sequence[Adoption], course: Mapping[str, Sequence[Week]]) -> Table:
    """One line a feature."""
    table = Table(
        "feature",
        Column("users", justify="right"),
        Column("share", justify="right"),
        Column("uses", justify="right"),
        Column("users by week", no_wrap=True),
        caption=f"{found[0].active_users} users of any feature",
    )
    for each in found:
        weeks = bars([week.users for week in course[each.feature]])
        table.add_row(plain(each.feature), f"{each.users:,}", f"{each.share:.0%}", f"{each.uses:,}", weeks)
    return table


def as_json(adoption: Adoption, course: Sequence[Week]) -> dict[str, Any]:
    """What programs are told of a feature."""
    return asdict(adoption) | {"weeks": [asdict(week) for week in course]}


def surveyed(found: Survey) -> RenderableType:
    """The answers to a question."""
    table = Table.grid(padding=(0, 2))
    most = max(found.scores)
    for score, number in reversed(list(enumerate(found.scores, 1))):
        table.add_row(str(score), "█" * round(30 * number / most), f"{number:,}")
    answers = f"{found.count:,} answer{'' if found.count == 1 else 's'}, mean {found.mean:.2f}"
    parts: list[RenderableType] = [Text.assemble(plain(found.question), f": {answers}", style="bold"), table]
    for comment in found.comments:
        said = " ".join(comment.text.split())
        parts.append(Text.assemble(f"{comment.at:%Y-%m-%d} ", str(comment.score), "  ", plain(said)))
    return Group(*parts)


def paged(found: Sequence[PageFigures]) -> Table:
    """One line a page."""
    right = [Column(name, justify="right") for name in ("loads", "load", "first byte", "LCP", "INP", "layout shift")]
    table = Table("page", *right, caption="what three of four loads do not exceed")
    for page in found:
        table.add_row(
            plain(page.page),
            f"{page.count:,}",
            _seconds("load", page.load),
            _seconds("first_byte", page.first_byte),
            _seconds("lcp", page.lcp),
            _seconds("inp", page.inp),
            _told("layout_shift", page.layout_shift, "" if page.layout_shift is None else f"{page.layout_shift:.2f}"),
        )
    return table


def _seconds(figure: str, value: float | None) -> Text:
    return _told(figure, value, "" if value is None else f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms")


def _told(figure: str, value: float | None, text: str) -> Text:
    if value is None or figure not in _LIMITS:
        return Text(text)
    good, poor = _LIMITS[figure]
    return Text(text, style="green" if value <= good else "red" if value > poor else "yellow")
