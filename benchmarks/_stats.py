"""Numbers from samples: medians, percentiles, paired ratios. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

UNITS = {"ms": "lower", "us": "lower", "bytes": "lower", "rate": "higher", "ratio": "higher"}
"""The last word of a figure's name says its unit, and the unit which way is better. ``rate``: per second."""

_FIGURE = re.compile(rf"[a-z][a-z0-9_]*_({'|'.join(UNITS)})(?:\.[a-z0-9_]+)?\Z")


def better(figure: str) -> str:
    """``"lower"`` or ``"higher"``; raises :class:`ValueError` for a name that does not end in a unit.

    ``standalone_import_ms.cache``: what follows a dot says what was measured.
    """
    found = _FIGURE.match(figure)
    if found is None:
        raise ValueError(f"a figure ends in its unit ({', '.join('_' + unit for unit in UNITS)}), got {figure!r}")
    return UNITS[found[1]]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of ``values`` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Sample:
    """What one case took: ``rounds`` its mean seconds per call in each round, ``times`` every timed call's seconds.

    ``rates``: calls per second in each round, over all threads, where the case was run under load.
    """

    name: str
    rounds: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds per call: the median of the rounds."""
        return median(self.rounds)

    @property
    def rate(self) -> float:
        """Calls per second: the median of the rounds."""
        return median(self.rates) if self.rates else 1 / self.median

    def p(self, share: float) -> float:
        """Seconds that ``share`` of the calls did not exceed."""
        return percentile(self.times, share)


@dataclass
class Comparison:
    """Cases that took turns, so that each round of one has its neighbours of the others."""

    title: str
    samples: dict[str, Sample]

    def __getitem__(self, name: str) -> Sample:
        return self.samples[name]

    def ratio(self, ours: str, peer: str) -> float:
        """How many times as fast ``ours`` is: the median over the rounds of the peer's time over ours."""
        mine, theirs = self[ours], self[peer]
        if mine.rates:
            return median(one / other for one, other in zip(mine.rates, theirs.rates, strict=True))
        return median(other / one for one, other in zip(mine.rounds, theirs.rounds, strict=True))

    def above(self, name: str, base: str) -> float:
        """Seconds that ``name`` takes beyond ``base``: the median over the rounds of the difference."""
        return median(one - other for one, other in zip(self[name].rounds, self[base].rounds, strict=True))
