"""What `postrmagic doctor` has found, on a terminal and for programs."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from .diagnosis.interface import Finding, State
from .words import plain

_STYLES: dict[State, str] = {"problem": "bold red", "unknown": "magenta", "advice": "yellow", "ok": "green"}
_WORDS: dict[State, str] = {"problem": "problem", "unknown": "unknown", "advice": "advice", "ok": "ok"}


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing of what checks and applications log or print comes between the findings."""
    silent, logger = logging.NullHandler(), logging.getLogger()
    logger.addHandler(silent)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.removeHandler(silent)


def counted(found: Sequence[Finding]) -> dict[State, int]:
    """How many there are of each state."""
    numbers = Counter(finding.state for finding in found)
    return {state: numbers[state] for state in _STYLES}


def as_program(found: Sequence[Finding]) -> dict[str, Any]:
    """All findings, and how many of each state."""
    return {
        "package": version("postrmagic-core"),
        "counts": counted(found),
        "findings": [asdict(finding) for finding in found],
    }


def show(console: Console, found: Sequence[Finding]) -> None:
    """A line or more a finding: what it is, what to do, where to read on; and their numbers."""
    table = Table(Column("area", no_wrap=True), Column("state", no_wrap=True), "what was found, and what to do")
    last = ""
    for finding in found:
        state = Text(_WORDS[finding.state], style=_STYLES[finding.state])
        table.add_row(plain("" if finding.area == last else finding.area), state, _lines(finding, console.encoding))
        last = finding.area
    console.print(table)
    numbers = counted(found)
    console.print(
        f"{numbers['problem']} wrong, {numbers['advice']} to be considered, {numbers['ok']} well, "
        f"{numbers['unknown']} that could not be looked at",
        highlight=False,
    )


def _lines(finding: Finding, encoding: str) -> Text:
    lines = [plain(_fit(finding.found, encoding))]
    if finding.do:
        lines.append(plain(_fit(f"{'→' if encoding.startswith('utf') else '->'} {finding.do}", encoding)))
    if finding.page and finding.state != "ok":
        lines.append(Text(f"docs/{finding.page}", style="dim"))
    return Text("\n").join(lines)


def _fit(text: str, encoding: str) -> str:
    """The text as a terminal can show it that knows few characters; one that is broken is not to break the rest."""
    return text.encode(encoding, "backslashreplace").decode(encoding)
