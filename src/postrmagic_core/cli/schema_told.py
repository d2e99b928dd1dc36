"""What a judgement of revisions looks like on a terminal, and what programs are told of it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from ..database.compatibility.compatible import Judgement
from ..database.compatibility.rules import Finding
from .words import plain

_STYLES = {"breaks": "bold red", "untold": "yellow", "note": "cyan"}
_VERDICTS = {"breaks": "refused", "untold": "not told", "note": "note"}


def show_judgement(judgement: Judgement) -> None:
    """Each finding with why and what to do instead, then how it comes out."""
    console = Console()
    for finding in judgement.findings:
        for line in _lines(finding, judgement.dialects):
            console.print(line, highlight=False, soft_wrap=True)
    judged, refused = len(judgement.judged), sum(finding.refused for finding in judgement.findings)
    what = f"{judged} revision{'s' if judged != 1 else ''} of the {judgement.history} judged"
    if not judged:
        console.print(
            f"nothing of the {judgement.history} to judge: none is pending, or no release runs on it yet",
            soft_wrap=True,
        )
    elif refused:
        console.print(f"{what}: the running release breaks on {refused} of the lines above", soft_wrap=True)
    else:
        console.print(f"{what}: the running release can live with them", soft_wrap=True)


def _lines(finding: Finding, judged: tuple[str, ...]) -> list[Text]:
    rule = finding.rule
    verdict = ("let through", "green") if finding.reason else (_VERDICTS[rule.verdict], _STYLES[rule.verdict])
    where = Text.assemble((verdict[0], verdict[1]), " ", plain(f"{finding.file}:{finding.line}"), " ")
    only = "" if finding.dialects == judged else f" (on {', '.join(finding.dialects)})"
    lines = [where + plain(f"{finding.what}{only}") + f" [{rule.name}]", Text(f"    why: {rule.why}")]
    if finding.reason:
        lines.append(Text("    its reason: ") + plain(finding.reason))
    else:
        lines.append(Text(f"    instead: {rule.instead}"))
    if rule.lost:
        lines.append(Text(f"    rolled back: {rule.lost}"))
    return lines


def judgement_as_json(judgement: Judgement) -> dict[str, Any]:
    """The same for programs."""
    return {
        "history": judgement.history,
        "compatible": judgement.compatible,
        "judged": list(judgement.judged),
        "findings": [
            {
                "revision": one.revision,
                "file": one.file,
                "line": one.line,
                "rule": one.rule.name,
                "verdict": one.rule.verdict,
                "refused": one.refused,
                "reason": one.reason,
                "what": one.what,
                "why": one.rule.why,
                "instead": one.rule.instead,
                "lost": one.rule.lost,
                "dialects": list(one.dialects),
            }
            for one in judgement.findings
        ],
    }
