"""What is known of pages, features and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Adoption:
    """How far a feature is used in a span of days.

    ``users``: different ones who used it, ``uses``: how often, with those of nobody known. ``active_users``: different
    ones who used any feature; ``share``: of them, those who used this one, from 0 to 1.
    """

    feature: str
    users: int
    uses: int
    active_users: int
    share: float


@dataclass(frozen=True, slots=True)
class Week:
    """A feature in the week that began then, on a Monday in UTC: different users, and uses."""

    began_at: datetime
    users: int
    uses: int


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote beside a score: plain text, to be escaped wherever it is shown."""

    at: datetime
    score: int
    text: str


@dataclass(frozen=True, slots=True)
class Survey:
    """The answers to one question.

    ``mean`` is 0 without answers; ``scores``: how many gave 1, 2, 3, 4 and 5; ``comments``: those first that came last.
    """

    question: str
    count: int
    mean: float
    scores: tuple[int, int, int, int, int]
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class PageFigures:
    """A page as browsers saw it: how many told of it, and what three of four loads do not exceed, in seconds.

    ``None``: no browser told. ``layout_shift`` is a score without a unit. Three of four is where the Core Web Vitals
    are judged (https://web.dev/articles/vitals): LCP to 2.5 s, INP to 0.2 s, layout shift to 0.1 are good.
    """

    page: str
    count: int
    load: float | None
    first_byte: float | None
    lcp: float | None
    inp: float | None
    layout_shift: float | None
