"""Two results side by side: what became better, what became worse, and whether that is too much."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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


def read(path: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Figures and machine from a file of ``--json``, or the figures from the last line of a saved output.

    Raises :class:`ValueError` for a file that holds neither.
    """
    text = path.read_text(encoding="utf-8").strip()
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = _last_line(text, path)
    figures = found.get("figures", found) if isinstance(found, dict) else None
    if not isinstance(figures, dict) or not all(isinstance(value, (int, float)) for value in figures.values()):
        raise ValueError(f"{path} holds no benchmark result")
    machine: dict[str, str] = found.get("machine", {}) if figures is not found else {}
    return figures, machine


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
    if base is None or head is None:
        return Change(figure, base, head, None, "new" if base is None else "gone")
    if better(figure) == "same":
        return Change(figure, base, head, None, "same" if base == head else "worse")
    if base <= 0 or head <= 0:
        return Change(figure, base, head, None, "same" if base == head else "no ratio")
    factor = head / base if better(figure) == "lower" else base / head
    verdict = "worse" if factor > 1 + tolerance else "better" if factor < 1 / (1 + tolerance) else "same"
    return Change(figure, base, head, factor, verdict)
