"""``python -m benchmarks list``, ``run NAME [options]``, ``compare BASE.json HEAD.json``."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import _compare, _machine, _report
from ._harness import Bench, Options, load_adapter

FOLDER = Path(__file__).parent
CONDITIONAL = ("url", "adapter", "threads", "duration")


def available() -> dict[str, str]:
    """Each benchmark's name and the first line of its docstring, without importing any."""
    files = [*FOLDER.glob("[!_]*.py"), *FOLDER.glob("[!_]*/__init__.py")]
    return {
        path.parent.name if path.stem == "__init__" else path.stem: (
            ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        ).split("\n")[0]
        for path in sorted(files)
    }


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the benchmarks")
    run = commands.add_parser("run", help="measure; the last line of output is one JSON object {figure: value}")
    run.add_argument("name", choices=sorted(available()))
    run.add_argument("--quick", action="store_true", help="fewer repetitions and, where that helps, less data")
    run.add_argument("--url", help="the backend to measure")
    run.add_argument("--adapter", metavar="MODULE:CLASS", help="an adapter of your own to measure")
    run.add_argument("--threads", type=int, help="threads under load")
    run.add_argument("--duration", type=float, help="seconds per case under load")
    run.add_argument("--seed", type=int, default=0, help="draws the order of the cases")
    run.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found")
    run.add_argument("--plot", type=Path, metavar="FILE", help="write an SVG picture")
    compare = commands.add_parser("compare", help="ratios of two results; exit code 1 when a figure got worse")
    compare.add_argument("base", type=Path)
    compare.add_argument("head", type=Path)
    compare.add_argument("--tolerance", type=float, default=0.1, help="0.1 is ten per cent")
    return top


def options(given: argparse.Namespace, takes: frozenset[str]) -> Options:
    """The options for a benchmark that uses those of ``takes``; raises :class:`ValueError` for one it would ignore."""
    said = {name: getattr(given, name) for name in CONDITIONAL if getattr(given, name) is not None}
    if ignored := sorted(said.keys() - takes):
        raise ValueError(f"{given.name} does not use {', '.join('--' + name for name in ignored)}")
    if said.get("threads", 1) < 1 or said.get("duration", 1) <= 0:
        raise ValueError("--threads and --duration must be positive")
    if "adapter" in said:
        said["adapter"] = load_adapter(said["adapter"])
    return Options(quick=given.quick, seed=given.seed, **said)


def measure(given: argparse.Namespace, console: Console) -> int:
    """Run one benchmark and show what it found."""
    module = importlib.import_module(f"{__package__}.{given.name}")
    bench = Bench(options(given, module.TAKES))
    machine = _machine.describe()
    module.run(bench)
    if given.json:
        given.json.write_text(json.dumps(_report.document(given.name, bench, machine), indent=1) + "\n")
    if given.plot:
        given.plot.write_text(_report.plot(given.name, bench), encoding="utf-8")
    _report.show(given.name, bench, machine, console)
    return 0


def compare(given: argparse.Namespace, console: Console) -> int:
    """Show the ratios of two results; 1 when a figure got worse than the tolerance or is gone."""
    (base, there), (head, here) = _compare.read(given.base), _compare.read(given.head)
    found = _compare.changes(base, head, given.tolerance)
    table = Table("figure", "base", "head", "ratio", "verdict")
    for change in found:
        numbers = ["-" if value is None else f"{value:,.4g}" for value in (change.base, change.head)]
        table.add_row(change.figure, *numbers, f"{change.factor:.3f}" if change.factor else "-", change.verdict)
    console.print(table)
    console.print("ratio: above 1 is worse, whichever way the figure counts")
    if differing := sorted(key for key in there.keys() & here.keys() - {"load"} if there[key] != here[key]):
        console.print(f"measured on different machines or versions: {', '.join(differing)}")
    return int(any(change.verdict in {"worse", "gone"} for change in found))


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 for a comparison that got worse, 2 for a wrong call."""
    given = parser().parse_args(arguments)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120)
    if given.command == "list":
        for name, summary in available().items():
            print(f"{name:<12} {summary}")
        return 0
    try:
        return measure(given, console) if given.command == "run" else compare(given, console)
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
