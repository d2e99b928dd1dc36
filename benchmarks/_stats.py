"""Numbers from samples: medians, percentiles, paired ratios. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

ENDINGS = {
    "_time_ratio": "lower",
    "_rate_ratio": "higher",
    "rss_ratio": "lower",
    "size_ratio": "lower",
    "_ratio": "higher",
    "_speedup": "higher",
    "_rate": "higher",
    "_per_s": "lower",
    "_ms": "lower",
    "_over_structlog": "lower",
    "_us": "lower",
    "_per_line": "lower",
    "_s": "lower",
    "_bytes": "lower",
    "_rows": "higher",
    "_proved": "higher",
    "_met": "higher",
    "_applicable": "lower",
    "_application": "lower",
}
"""How a figure's name may end, the longer endings first, and which way is better. ``_rate`` is per second."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\.[a-z0-9_]+)?")


def better(figure: str) -> str:
    """``"lower"``, ``"higher"``, or ``"same"`` for a count without a unit (``lost_updates``): it must not change.

    ``"theirs"``: a peer's figure (``lost_updates_peer.django``), which is told and not judged.
    ``standalone_import_ms.cache``: what follows a dot says what was measured. Raises :class:`ValueError` for a name
    that is not of lower-case words joined by underscores.
    """
    if _NAME.fullmatch(figure) is None:
        raise ValueError(f"expected a figure's name such as hit_us, list_rate or import_ms.cache, got {figure!r}")
    name = figure.partition(".")[0]
    if name.endswith("_peer"):
        return "theirs"
    return next((way for ending, way in ENDINGS.items() if name.endswith(ending)), "same")


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

    def time_ratio(self, ours: str, peer: str) -> float:
        """The time of ``ours`` over that of ``peer``, the median over the rounds: below 1, ours is faster."""
        mine, theirs = self[ours], self[peer]
        if mine.rates:
            return median(other / one for one, other in zip(mine.rates, theirs.rates, strict=True))
        return median(one / other for one, other in zip(mine.rounds, theirs.rounds, strict=True))

    def rate_ratio(self, ours: str, peer: str) -> float:
        """How many times as fast ``ours`` is as ``peer``, the median over the rounds: above 1, ours is faster."""
        return self.time_ratio(peer, ours)

    def above(self, name: str, base: str) -> float:
        """Seconds that ``name`` takes beyond ``base``: the median over the rounds of the difference."""
        return median(one - other for one, other in zip(self[name].rounds, self[base].rounds, strict=True))
