"""``python -m benchmarks list``, ``run NAME [options]``, ``compare BASE.json HEAD.json``, ``report``."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import _compare, _counters, _machine, _names, _report
from ._harness import Bench, Options, load_adapter
from ._names import available
from ._page import worth_comparing

FOLDER = _names.FOLDER
CONDITIONAL = ("url", "adapter", "threads", "duration")


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
    compare.add_argument(
        "--ratios", action="store_true", help="only ratios and counts: what carries over to other machines"
    )
    compare.add_argument(
        "--again", action="store_true", help="measure once more what is worse: only what is worse twice fails"
    )
    report = commands.add_parser("report", help="every benchmark once, as a page: `make counters`")
    report.add_argument("--quick", action="store_true", help="each the quick way; the page stays in the folder")
    report.add_argument(
        "--only",
        nargs="+",
        choices=sorted(available()),
        metavar="NAME",
        help="these, anew; the page stays in the folder",
    )
    report.add_argument("--with-containers", action="store_true", help="also `deploy`, which needs a Docker engine")
    report.add_argument("--folder", type=Path, help="where parts are kept until all are there (build/counters)")
    report.add_argument("--out", type=Path, help="where JSON, page and pictures are written (docs/reports)")
    report.add_argument("--render", action="store_true", help="measure nothing: write the page of the JSON anew")
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
    base, head = _compare.read(given.base), _compare.read(given.head)
    found = _compare.judged(base, head, given.tolerance, worth_comparing if given.ratios else lambda _: True)
    if given.again:
        found = _compare.measured_again(found, base, given.tolerance, lambda name: _again(name, head, console))
    table = Table("benchmark", "figure", "base", "head", "again", "ratio", "verdict")
    for one in found:
        change, again = one.change, one.again
        numbers = ["" if value is None else f"{value:,.4g}" for value in (change.base, change.head)]
        last = again or change
        second = "" if again is None or again.head is None else f"{again.head:,.4g}"
        factor = f"{last.factor:.3f}" if last.factor else ""
        table.add_row(one.benchmark, change.figure, *numbers, second, factor, last.verdict)
    console.print(table)
    console.print("ratio: above 1 is worse, whichever way the figure counts")
    there, here = base.machine, head.machine
    if differing := sorted(key for key in there.keys() & here.keys() - {"load"} if there[key] != here[key]):
        console.print(f"measured on different machines or versions: {', '.join(differing)}")
    return int(any(one.failed for one in found))


def _again(name: str, head: _compare.Result, console: Console) -> dict[str, float]:
    """The figures of one more run in this checkout, as thorough as the head's."""
    if not name:
        raise ValueError("--again needs results that say their benchmark: files of --json, or of report")
    console.print(f"{name}: measured once more …")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "again.json"
        command = [sys.executable, "-m", __package__, "run", name, "--json", str(result)]
        quick = ["--quick"] if "scale" in head.figures[name] else []
        done = subprocess.run([*command, *quick], cwd=FOLDER.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{name} could not be measured once more:\n{done.stdout[-500:]}{done.stderr[-2000:]}")
        return _compare.read(result).figures[name]


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 for a comparison that got worse, 2 for a wrong call."""
    given = parser().parse_args(arguments)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120)
    if given.command == "list":
        for name, summary in available().items():
            print(f"{name:<12} {summary}")
        return 0
    try:
        return {"run": measure, "compare": compare, "report": _counters.report}[given.command](given, console)
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
