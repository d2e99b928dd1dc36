"""The page of all metrics, out of the catalogue.

``python -m tests.observability.metrics.catalogue_page`` writes ``docs/reference/metrics.md`` anew.
"""

from __future__ import annotations

from pathlib import Path

from postrmagic_core.observability.metrics.catalogue import ALL, Described, shown_name

FILE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"

HEAD = """\
# Metrics

What `/metrics` tells, each name with its kind, its labels and its meaning. How to scrape it:
[watch with Prometheus](../how-to/watch-with-prometheus.md).

Every name begins with `postrmagic_`. Times are in seconds, sizes in bytes. Of a histogram there are `_bucket`, `_sum`
and `_count`. Counters and histograms are those of all processes together, the ended included, and never go back as long
as the store keeps them. A gauge is the sum of the living processes' values unless its row says otherwise.

A name without a row is the application's own: what code counts in `stack.metrics` is told too, with the same prefix.
"""

ROOMS = {
    "http": "Requests",
    "jobs schedule": "Jobs and schedules",
    "db outbox": "The database",
    "stores": "Stores",
    "cache": "The cache",
    "limits sessions": "Limits and sessions",
    "events": "Events",
    "log errors sentry spans traces release releases": "Log, errors and traces",
    "build processes process gc metrics": "Processes, and these figures themselves",
    "backup flag": "Backups and flags",
    "": "Security",
}


def page() -> str:
    """The whole page."""
    rooms: dict[str, list[Described]] = {title: [] for title in ROOMS.values()}
    for described in ALL:
        rooms[_title(described.name)].append(described)
    return "\n".join([HEAD, *(part for title, rows in rooms.items() for part in _table(title, rows))])


def _title(name: str) -> str:
    first = name.partition("_")[0]
    return next((title for words, title in ROOMS.items() if first in words.split()), ROOMS[""])


def _table(title: str, rows: list[Described]) -> list[str]:
    lines = [_row(described) for described in rows]
    return [f"## {title}", "", "| name | kind | labels | meaning |", "|---|---|---|---|", *lines, ""]


def _row(described: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in described.labels)
    merged = {"sum": "", "max": " The greatest of all processes'.", "min": " The least of all processes'."}
    return (
        f"| `{shown_name(described.name)}` | {described.kind} | {labels} | {described.help}{merged[described.merge]} |"
    )


if __name__ == "__main__":
    FILE.write_text(page().rstrip("\n") + "\n", encoding="utf-8")
