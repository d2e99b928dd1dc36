"""How a run is shown: tables for people, one line of JSON for programs, a picture for pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from ._harness import Bench
from ._stats import Comparison, better
from ._svg import Bar, Group, picture


def show(name: str, bench: Bench, machine: Mapping[str, str], console: Console) -> None:
    """Print the tables, the machine, who is missing, and last of all one line: the figures as a JSON object."""
    for comparison in bench.comparisons:
        console.print(_table(comparison))
    figures = Table(title=f"{name}: figures", title_justify="left")
    for column in ("figure", "value", "better"):
        figures.add_column(column, justify="right" if column == "value" else "left", no_wrap=True)
    for figure, value in bench.figures.items():
        figures.add_row(figure, f"{value:,.4g}", better(figure))
    console.print(figures)
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()), highlight=False, markup=False)
    for peer, reason in bench.missing.items():
        console.print(f"missing: {peer} ({reason})", highlight=False, markup=False)
    console.file.write(json.dumps(flat(bench)) + "\n")


def _table(comparison: Comparison) -> Table:
    table = Table(title=comparison.title, title_justify="left")
    for column in ("case", "calls", "median", "p50", "p95", "p99", "per second", "ratio"):
        table.add_column(column, justify="left" if column == "case" else "right", no_wrap=True)
    first = next(iter(comparison.samples))
    for name, sample in comparison.samples.items():
        times = [seconds(sample.median), *(seconds(sample.p(share)) for share in (0.5, 0.95, 0.99))]
        slower = f"{comparison.time_ratio(name, first):.2f}"
        table.add_row(name, f"{len(sample.times):,}", *times, f"{sample.rate:,.0f}", slower)
    return table


def seconds(value: float) -> str:
    """A duration in the unit that suits it."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def flat(bench: Bench) -> dict[str, float]:
    """The figures, and ``scale`` where ``--quick`` shrank the data: such figures compare only with their like."""
    shrunk = {"scale": bench.scale} if bench.scale != 1.0 else {}
    return {**bench.figures, **shrunk}


def document(name: str, bench: Bench, machine: Mapping[str, str]) -> dict[str, Any]:
    """Everything that was found, for ``--json`` and ``compare``; durations in seconds."""
    return {
        "benchmark": name,
        "figures": flat(bench),
        "machine": dict(machine),
        "missing": bench.missing,
        "seed": bench.options.seed,
        "comparisons": {
            comparison.title: {
                sample.name: {
                    "calls": len(sample.times),
                    "median": sample.median,
                    **{f"p{share}": sample.p(share / 100) for share in (50, 95, 99)},
                    "rate": sample.rate,
                }
                for sample in comparison.samples.values()
            }
            for comparison in bench.comparisons
        },
    }


def plot(name: str, bench: Bench) -> str:
    """The comparisons as one self-contained SVG picture: a bar to the median, a line to the 95th percentile.

    Of a benchmark that drew its own, that one.
    """
    if bench.picture is not None:
        return bench.picture
    groups = []
    for comparison in bench.comparisons:
        longest = max(max(sample.median, sample.p(0.95)) for sample in comparison.samples.values())
        bars = [
            Bar(sample.name, sample.median / longest, seconds(sample.median), reach=sample.p(0.95) / longest)
            for sample in comparison.samples.values()
        ]
        groups.append(Group(comparison.title, bars))
    return picture(f"{name}: medians, with the 95th percentile", groups)
