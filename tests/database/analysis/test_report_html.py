"""The page of a report: what it says, and that nothing in it can run."""

from __future__ import annotations

from postrmagic_core._metrics import LATENCY_BOUNDS
from postrmagic_core.database.analysis.interface import Caller, QueryStats
from postrmagic_core.database.analysis.report import Analysed, Report, as_json
from postrmagic_core.database.analysis.report_html import as_html
from postrmagic_core.database.analysis.rewrites import Rewrite
from postrmagic_core.database.analysis.wording import duration, printable, size, times

EVIL = "<img src=x onerror=alert(1)>\"'&"


def report() -> Report:
    """Hostile in every text that comes from elsewhere."""
    query = QueryStats(EVIL, EVIL, 1, 0, 1.0, 1.0, (0,) * len(LATENCY_BOUNDS) + (1,), 1, (Caller(EVIL, 1),))
    return Report(
        "sqlite",
        verified=True,
        statements=(Analysed(query, note=EVIL),),
        rewrites=(Rewrite("keyset", EVIL, EVIL, EVIL, (2.0, 1.0)),),
        remarks=(EVIL,),
        sampled={EVIL: 3},
    )


def test_every_text_is_escaped() -> None:
    """Statements, fingerprints, callers, notes, advice and remarks; in attributes too."""
    page = as_html(report())
    assert "<img" not in page
    assert EVIL not in page
    assert page.count("&lt;img") >= 8


def test_an_empty_report_is_a_page() -> None:
    """Nothing to show is shown as that."""
    page = as_html(Report("mariadb", verified=True, statements=()))
    assert "no index that was tried" in page


def test_the_json_has_a_version() -> None:
    """And the figures as they are."""
    found = as_json(report())
    assert (found["version"], found["statements"][0]["calls"], found["rewrites"][0]["measured_seconds"]) == (
        1,
        1,
        [2.0, 1.0],
    )


def test_figures_have_three_digits_and_a_unit() -> None:
    """As people read them."""
    assert [duration(value) for value in (0.0000421, 0.0099, 0.9999, 61.0)] == [
        "42.1 µs",
        "9.90 ms",
        "1.00 s",
        "61.0 s",
    ]
    assert [size(count) for count in (12, 3 * 2**20, 2**40)] == ["12 B", "3.00 MiB", "1024 GiB"]
    assert [times(ratio) for ratio in (1.314, 46.8, 2486.2)] == ["1.31 times", "47 times", "2,486 times"]


def test_foreign_text_commands_no_terminal() -> None:
    """Escape sequences, writing turned round and line breaks."""
    assert printable("a\x1b[31m\u202eb\nc") == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b c"
