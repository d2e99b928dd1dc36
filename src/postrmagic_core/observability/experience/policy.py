"""What is counted of users, and how: names, days, hashes, percentiles, and comments without what tells who. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..._crypto import KeyRing
from ...log.policy import scrub
from ..metrics.policy import Buckets, Totals
from .interface import PageFigures

DAY_US: Final = 86_400 * 1_000_000
WEEK_US: Final = 7 * DAY_US
# 1970-01-05 was a Monday.
_MONDAY_US: Final = 4 * DAY_US

COMMENT: Final = 500
"""Characters of a comment, at most."""
LOWEST, HIGHEST = 1, 5
"""Scores."""

OTHER: Final = "other"
MOST_PAGES: Final = 200
_SECONDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0, 20.0, 60.0)
_SHIFT = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)

FIGURES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "load": ("page_load_seconds", _SECONDS),
    "first_byte": ("page_first_byte_seconds", _SECONDS),
    "lcp": ("page_lcp_seconds", _SECONDS),
    "inp": ("page_inp_seconds", _SECONDS),
    "layout_shift": ("page_layout_shift", _SHIFT),
}
"""What a browser tells of a page: the histogram it goes into, and that one's bounds."""

IS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
"""Whether a text can name a feature or a question."""

# What people write of themselves and nobody needs to know: addresses, and numbers that could be a telephone's.
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_NUMBER = re.compile(r"\+?\d(?:[ ()/.-]{0,2}\d){6,19}")


def day_of(now_us: int) -> int:
    """When the day of an instant began, in UTC; both in microseconds since the epoch."""
    return now_us - now_us % DAY_US


def week_of(now_us: int) -> int:
    """When the week of an instant began: on its Monday, in UTC."""
    return now_us - (now_us - _MONDAY_US) % WEEK_US


def user_hash(keys: KeyRing, user: object) -> str:
    """A user as it is counted: 128 bits that only who has the key can make of the id; empty for nobody."""
    if user is None or user == "":
        return ""
    return keys.mac(_bytes(user), purpose="feature-use")[:16].hex()


def who_hashes(keys: KeyRing, question: str, who: str) -> list[str]:
    """Whoever answers a question, under each key, the present one first; no two questions share one."""
    return [mac[:16].hex() for mac in keys.macs(_bytes(f"{question}\n{who}"), purpose="survey-answer")]


def kept(comment: str) -> str:
    """As much of a comment as is kept: no secrets, no addresses or long numbers, no control characters."""
    text = "".join(each if each.isprintable() or each == "\n" else " " for each in comment[: 2 * COMMENT])
    text = _NUMBER.sub("[number]", _ADDRESS.sub("[address]", scrub(text)))
    return text.strip()[:COMMENT].encode("utf-8", "replace").decode()


def pages(totals: Totals) -> list[PageFigures]:
    """Each page that browsers told of, those first that were loaded most."""
    found: dict[str, dict[str, Buckets]] = {}
    figures = {name: figure for figure, (name, _) in FIGURES.items()}
    for (name, labels), buckets in totals.histograms.items():
        if name in figures:
            found.setdefault(dict(labels).get("page", OTHER), {})[figures[name]] = buckets
    told = [_page(page, by_figure) for page, by_figure in found.items()]
    return sorted(told, key=lambda page: (-page.count, page.page))


def _page(page: str, by_figure: Mapping[str, Buckets]) -> PageFigures:
    at = {figure: quantile(buckets, 0.75) for figure, buckets in by_figure.items()}
    count = max(sum(buckets.counts) for buckets in by_figure.values())
    values = (at.get(figure) for figure in ("load", "first_byte", "lcp", "inp", "layout_shift"))
    return PageFigures(page, count, *values)


def quantile(buckets: Buckets, share: float) -> float | None:
    """What ``share`` (0 to 1) of the values do not exceed, a line drawn through its bucket; ``None`` without values.

    The last bound, where it lies beyond it.
    """
    rank, below, lower = share * sum(buckets.counts), 0, 0.0
    if not rank:
        return None
    for bound, number in zip(buckets.bounds, buckets.counts, strict=False):
        if number and below + number >= rank:
            return lower + (bound - lower) * (rank - below) / number
        below, lower = below + number, bound
    return lower


def _bytes(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")
