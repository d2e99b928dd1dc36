"""The pictures of the page of counters: the promises as bars, ours over the peers', and the ratios around 1."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ._goals import goals, times_as_fast
from ._page import PROMISES, Document, number, peer
from ._svg import Bar, Group, picture

_LEFT = 330
_MOST = 6.0  # powers of two to either side


def pictures(document: Document) -> dict[str, tuple[str, str]]:
    """By the end of the file's name: its title, and the SVG."""
    made = {}
    for name, title, groups in (
        ("promises", "What goes wrong, counted: ours and the peers'", list(_promises(document))),
        (
            "ratios",
            "Times as fast as the peer, in powers of two: to the right ours, to the left the peer",
            list(_ratios(document)),
        ),
    ):
        if groups:
            made[name] = title, picture(title, groups, _LEFT)
    return made


def _promises(document: Document) -> Iterator[Group]:
    part = document["parts"].get("counters")
    for figure, goal in goals()["counters"].items() if part else ():
        prefix = f"{figure}_peer."
        theirs = {
            peer(name, prefix).replace("`", ""): value
            for name, value in part["figures"].items()
            if name.startswith(prefix)
        }
        ours = part["figures"].get(figure)
        if ours is None or not theirs:
            continue
        most = max(ours, *theirs.values()) or 1.0
        bars = [Bar("ours", ours / most, number(ours), "ours")]
        bars += [Bar(name, value / most, number(value), "peer") for name, value in theirs.items()]
        yield Group(goal.what, bars)


def _ratios(document: Document) -> Iterator[Group]:
    for name, part in document["parts"].items():
        bars = []
        for figure, goal in goals().get(name, {}).items() if name not in PROMISES else ():
            value = part["figures"].get(figure)
            times = None if value is None or not goal.beside else times_as_fast(figure, value)
            if times is not None:
                bars.append(_around_one(figure, times))
        if bars:
            yield Group(name, bars, line=0.5)


def _around_one(figure: str, times: float) -> Bar:
    powers = max(-_MOST, min(_MOST, math.log2(times))) / _MOST / 2
    told = f"{number(times)} times"
    if powers < 0:
        return Bar(figure, -powers, told, "peer", start=0.5 + powers)
    return Bar(figure, powers, told, "ours", start=0.5)
