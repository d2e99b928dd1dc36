"""Two results side by side: what became better, what became worse, and whether that is too much."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ._stats import better


@dataclass(frozen=True)
class Change:
    """One figure in both results; ``factor`` above 1 is worse, whichever way the figure counts."""

    figure: str
    base: float | None
    head: float | None
    factor: float | None
    verdict: str


@dataclass(frozen=True)
class Result:
    """``figures`` of each benchmark by its name, which is empty where nothing told it, and the ``machine``.

    ``whole``: of a run of every benchmark, in which one that is not there failed.
    """

    figures: dict[str, dict[str, float]]
    machine: dict[str, str]
    whole: bool = False


@dataclass(frozen=True)
class Judged:
    """One figure of ``benchmark``; ``again``: as it came out when it was measured once more."""

    benchmark: str
    change: Change
    again: Change | None = None

    @property
    def failed(self) -> bool:
        """Worse, or gone, and not better when it was measured once more."""
        last = self.again or self.change
        return last.verdict in {"worse", "gone"}


def read(path: Path) -> Result:
    """From a file of ``--json``, the document of ``report``, or the figures of the last line of a saved output.

    Raises :class:`ValueError` for a file that holds none of them.
    """
    text = path.read_text(encoding="utf-8").strip()
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = _last_line(text, path)
    found = found if isinstance(found, dict) else {}
    if isinstance(found.get("parts"), dict):
        figures = {name: _figures(part, path) for name, part in found["parts"].items()}
        return Result(figures, found.get("machine", {}), whole=True)
    if "figures" in found:
        return Result({found.get("benchmark", ""): _figures(found, path)}, found.get("machine", {}))
    return Result({"": _figures({"figures": found}, path)}, {})


def _figures(found: Any, path: Path) -> dict[str, float]:
    figures = found.get("figures") if isinstance(found, dict) else None
    if not isinstance(figures, dict) or not all(isinstance(value, (int, float)) for value in figures.values()):
        raise ValueError(f"{path} holds no benchmark result")
    return figures


def judged(base: Result, head: Result, tolerance: float, wanted: Callable[[str], bool]) -> list[Judged]:
    """Every figure that is ``wanted``; of a benchmark that failed in the head's run of all, too."""
    pairs: dict[str, tuple[dict[str, float] | None, dict[str, float] | None]]
    if "" in base.figures or "" in head.figures:  # a saved output does not say what was measured: it is one benchmark
        if max(len(base.figures), len(head.figures)) > 1:
            raise ValueError("a result of every benchmark compares with another of every benchmark")
        name = next(iter({**base.figures, **head.figures}))
        pairs = {name: (next(iter(base.figures.values())), next(iter(head.figures.values())))}
    else:
        names = head.figures if base.whole and not head.whole else {**base.figures, **head.figures}
        pairs = {name: (base.figures.get(name), head.figures.get(name)) for name in names}
    return [
        Judged(name, change)
        for name, (before, after) in pairs.items()
        for change in _of_one(before, after, tolerance)
        if wanted(change.figure)
    ]


def _of_one(before: dict[str, float] | None, after: dict[str, float] | None, tolerance: float) -> list[Change]:
    if before is not None and after is not None:
        return changes(before, after, tolerance)
    one, other = before or {}, after or {}
    return [
        _change(figure, one.get(figure), other.get(figure), tolerance)
        for figure in {**one, **other}
        if figure != "scale"
    ]


def measured_again(
    found: Sequence[Judged], base: Result, tolerance: float, measure: Callable[[str], dict[str, float]]
) -> list[Judged]:
    """What is worse beside its ``base`` once more; ``measure`` runs a benchmark by its name."""
    worse = {one.benchmark for one in found if one.change.verdict == "worse"}
    second = {
        name: {one.figure: one for one in changes(base.figures[name], measure(name), tolerance)} for name in worse
    }
    return [
        replace(one, again=second[one.benchmark][one.change.figure]) if one.change.verdict == "worse" else one
        for one in found
    ]


def _last_line(text: str, path: Path) -> Any:
    try:
        return json.loads(text.splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        raise ValueError(f"{path} holds no benchmark result") from None


def changes(base: Mapping[str, float], head: Mapping[str, float], tolerance: float) -> list[Change]:
    """Each figure's change; worse than ``tolerance`` (0.1 is ten per cent) is ``worse``, as is a count that changed.

    Raises :class:`ValueError` when the results are of different scale: such figures do not compare.
    """
    if base.get("scale", 1.0) != head.get("scale", 1.0):
        raise ValueError("the results are of different scale: measure both with --quick, or both without")
    return [
        _change(figure, base.get(figure), head.get(figure), tolerance)
        for figure in {**base, **head}
        if figure != "scale"
    ]


def _change(figure: str, base: float | None, head: float | None, tolerance: float) -> Change:
    if better(figure) == "theirs":
        return Change(figure, base, head, None, "a peer's")
    if base is None or head is None:
        return Change(figure, base, head, None, "new" if base is None else "gone")
    if better(figure) == "same":
        return Change(figure, base, head, None, "same" if base == head else "worse")
    if base <= 0 or head <= 0:
        return Change(figure, base, head, None, "same" if base == head else "no ratio")
    factor = head / base if better(figure) == "lower" else base / head
    verdict = "worse" if factor > 1 + tolerance else "better" if factor < 1 / (1 + tolerance) else "same"
    return Change(figure, base, head, factor, verdict)
