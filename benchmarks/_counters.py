"""``python -m benchmarks report``, which `make counters` runs: every benchmark once, and the page of what they found.

Exit status: 0; 1 when a benchmark failed: the page names it, and the next run measures only what is not there; 130
when it was stopped, with what was measured kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from . import _page, _plots, _suite, _versions
from ._names import available

NAME = "counters"


def report(given: argparse.Namespace, console: Console) -> int:
    """See the module."""
    if given.render:
        out = given.out or _suite.REPORTS
        write(json.loads((out / f"{NAME}.json").read_text(encoding="utf-8")), out)
        return 0
    every = [name for name in available() if given.with_containers or name != _suite.CONTAINERS]
    folder = given.folder or _versions.ROOT / "build" / (f"{NAME}-quick" if given.quick else NAME)
    # Each line at once: a run of hours is watched.
    plan = _suite.Plan(
        given.only or every,
        folder,
        given.quick,
        bool(given.only),
        lambda line: print(line, file=console.file, flush=True),
    )
    try:
        found = _suite.measured(plan, _before())
    except KeyboardInterrupt:
        plan.say(f"stopped; what was measured is kept in {folder}: run it again to go on")
        return 130
    if given.only:
        found.parts = {**_suite.kept_parts(plan, [name for name in every if name not in given.only]), **found.parts}
    document = _suite.document(found, given.quick)
    whole = not given.only and not given.quick
    out = given.out or (_suite.REPORTS if whole else folder / "page")
    write(document, out)
    _told(plan, document, out)
    if not given.only and not found.failed:
        _suite.forget(plan)
    return int(bool(found.failed))


def _before() -> dict[str, Any]:
    """The last document, for how long each part takes; empty where there is none."""
    try:
        found: dict[str, Any] = json.loads((_suite.REPORTS / f"{NAME}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {} if found.get("quick") else found


def write(document: dict[str, Any], out: Path) -> None:
    """The JSON, the page and the pictures; a picture of a run before goes."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{NAME}-*.svg"):
        old.unlink()
    pictures = _plots.pictures(document)
    for end, (_, picture) in pictures.items():
        (out / f"{NAME}-{end}.svg").write_text(picture, encoding="utf-8")
    page = _page.markdown(document, {title: f"{NAME}-{end}.svg" for end, (title, _) in pictures.items()})
    (out / f"{NAME}.md").write_text(page, encoding="utf-8")
    (out / f"{NAME}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _told(plan: _suite.Plan, document: dict[str, Any], out: Path) -> None:
    judged = list(_page.judged(document))
    for name, figure, value, met in judged:
        if not met:
            plan.say(f"missed: {name} {figure} {_page.number(value)}")
    plan.say(f"{sum(met for *_, met in judged)} of {len(judged)} goals met; {out / f'{NAME}.md'}")
    for name, reason in document["failed"].items():
        plan.say(f"failed: {name}: {reason}")
