"""The report on asynchronous processing: each broker under fire, and what came of it. Behind ``make async-report``."""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from postrmagic_core.testing.servers import MissingServer
from tests.jobs import chaos

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "reports" / "async.md"


@dataclass(frozen=True)
class Study:
    """One broker's run. ``recovered``: seconds from a worker's death to the next start of each job it had begun."""

    place: str
    attempted: int
    ledger: chaos.Ledger
    kills: Counter[str]
    recovered: list[float]
    seconds: float
    drained: float

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, repeated or run for a transaction that did not commit."""
        return not any(self.ledger.verdict().values())


def main() -> None:
    """Run the brokers one after the other and write the report; exit status 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=1000, help="attempted on each broker (default 1000)")
    parser.add_argument("--places", nargs="*", default=list(chaos.PLACES), choices=list(chaos.PLACES))
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    console, studies, missing = Console(stderr=True), [], []
    for number, place in enumerate(options.places, 1):
        console.print(f"[{number}/{len(options.places)}] {place}: {options.transactions} transactions under fire …")
        try:
            studies.append(studied(place, options.transactions, options.seed + number))
        except MissingServer as error:
            missing.append(f"{place}: {error}")
    TARGET.write_text(report(studies, missing, options.transactions, options.seed), encoding="utf-8")
    console.print(f"{TARGET.relative_to(ROOT)}")
    sys.exit(0 if all(study.clean for study in studies) else 1)


def studied(place: str, transactions: int, seed: int) -> Study:
    """Run one broker."""
    rng, began = random.Random(seed), time.monotonic()
    with _directory() as directory, ExitStack() as stack:
        shop = chaos.opened(stack, place, directory)
        chaos.run(shop, apps=2, transactions=transactions, rng=rng, pause=lambda: 0.2 + 0.6 * rng.random())
        fired = time.monotonic() - began
        drained = chaos.drained(shop, timeout=chaos.LEASE + 60)
        attempted = sum(1 for line in shop.lines("app") if line[2] == "invoke")
        kills = Counter(name.split("-")[0] for _, name in shop.killed)
        ledger, recovered = chaos.ledger_of(shop), sorted(chaos.recoveries(shop))
    return Study(place, attempted, ledger, kills, recovered, fired, drained)


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="postrmagic-async-") as name:
        yield Path(name)


def report(studies: list[Study], missing: list[str], transactions: int, seed: int) -> str:
    """The page, in Markdown."""
    machine = (
        f"{platform.system()}, {os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}"
    )
    lines = [
        "# Asynchronous processing: report",
        "",
        f"Made by `make async-report TRANSACTIONS={transactions}` (seed {seed}) on a machine of this class: {machine}.",
        "",
        "Two applications make transactions, a fifth of which roll back; each enqueues a job in its transaction, some "
        "with a delay. Two workers run the jobs, whose effect is a row written in `ctx.write()`. Meanwhile "
        "applications, relay, workers and servers are killed with SIGKILL at random, and workers are paused for longer "
        f"than their lease ({chaos.LEASE:g} s). Afterwards the database says which transactions committed and which "
        "effects there are.",
        "",
        "## What came of it",
        "",
        "| database + broker | attempted | committed | effects | lost | repeated | of rolled-back ones | left after |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(study) for study in studies),
        "",
        "“Left after” is how long the last job took to end once nothing was killed any more.",
        "",
        "## What was killed, and how soon jobs came back",
        "",
        "| database + broker | killed | jobs of killed workers | again after, median | at most | under fire |",
        "|---|---|---|---|---|---|",
        *(_fire(study) for study in studies),
        "",
        f"A job of a killed worker is promised to run again within its lease and 10 s: here {chaos.LEASE + 10:g} s.",
    ]
    if missing:
        lines += ["", "## Not run", "", *(f"- {each}" for each in missing)]
    lines += [
        "",
        "## What else is tested",
        "",
        "| what | where |",
        "|---|---|",
        "| every sentence of the broker's interface, on each broker | `tests/jobs/test_contract.py` |",
        "| each fault by itself, each guard turned off in turn | `tests/faults.toml`, rows J1 to J20 |",
        "| events before and after the commit, and durable ones | `tests/events` |",
        "| rates and latencies beside dramatiq, Celery, RQ, arq, taskiq and Huey | `python -m benchmarks.jobs` |",
        "| how to use it well | [patterns for jobs](../how-to/patterns-for-jobs.md) |",
        "",
    ]
    return "\n".join(lines)


def _row(study: Study) -> str:
    verdict = study.ledger.verdict()
    effects = sum(study.ledger.effects.values())
    cells = [study.place, study.attempted, len(study.ledger.committed), effects]
    cells += [len(verdict[name]) for name in ("lost", "more than once", "of no committed transaction")]
    return _cells([*cells, f"{study.drained:.1f} s"])


def _fire(study: Study) -> str:
    killed = ", ".join(f"{number} {name}" for name, number in sorted(study.kills.items()))
    again = study.recovered
    times = ["-", "-"] if not again else [f"{statistics.median(again):.1f} s", f"{again[-1]:.1f} s"]
    return _cells([study.place, killed, len(again), *times, f"{study.seconds:.0f} s"])


def _cells(cells: list[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
