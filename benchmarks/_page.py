"""The page of counters, of the document that a run made: the same document is always the same page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ._goals import Goal, goals, is_ratio, times_as_fast
from ._stats import better

Document = Mapping[str, Any]
PROMISES = ("counters", "proofs")
_ABSENT = "not measured"
_EVEN = 0.99
PEERS = {
    "sqlalchemy": "SQLAlchemy",
    "django": "Django",
    "dogpile": "dogpile.cache",
    "dogpile_locked": "dogpile.cache, `distributed_lock`",
    "cashews": "cashews",
    "cashews_locked": "cashews, `lock=True`",
    "limits": "limits",
    "throttled": "throttled-py",
    "litestar": "Litestar",
    "slowapi": "slowapi",
    "dramatiq": "dramatiq",
    "celery": "Celery, late acknowledgement",
    "rq": "RQ",
    "huey": "Huey",
    "starsessions": "starsessions",
    "flask_session": "Flask-Session",
    "redis_py": "redis-py, `Redis(host, port)`",
    "redis_py_by_url": "redis-py, `from_url`",
    "sqlite3_to_mysql": "sqlite3-to-mysql",
}
"""What a peer's figure is called after the dot, and the words for it."""


def markdown(document: Document, plots: Mapping[str, str]) -> str:
    """The whole page; ``plots``: title to the file beside it."""
    lines = [*_head(document), *_promises(document), *_proofs(document)]
    lines += [line for title, file in plots.items() for line in (f"![{title}]({file})", "")]
    lines += [*_components(document), *_ahead(document), *_containers(document), *_missing(document), *_times(document)]
    lines += _versions(document)
    return "\n".join(lines).rstrip() + "\n"


def number(value: float) -> str:
    """Three digits, or all of a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def verdict(goal: Goal, figure: str, value: float) -> str:
    """``met`` or ``missed``, and whether a peer is ahead."""
    told = {True: "met", False: "**missed**", None: ""}[goal.met(value)]
    if behind(goal, figure, value) is not None:
        told = f"{told}, the peer is ahead" if told else "the peer is ahead"
    return told


def behind(goal: Goal, figure: str, value: float) -> float | None:
    """How many times as fast as the peer, where that is less than once; what differs by a hundredth is even."""
    times = times_as_fast(figure, value) if goal.beside else None
    return times if times is not None and times < _EVEN else None


def _head(document: Document) -> list[str]:
    machine = document["machine"]
    servers = ", ".join(f"{name} {version}" for name, version in document["servers"].items())
    quick = " It was a quick run: its figures say that it works, and no more." if document["quick"] else ""
    return [
        "# Counters",
        "",
        f"Made by `make counters` on {document['date']}: every benchmark in one run, the peers beside us.{quick}",
        "How each figure is made is in the [reference](../reference/benchmarks.md); all of them, with every version, "
        "are in `docs/reports/counters.json`.",
        "Counts must be the same on every machine, ratios carry over more or less, times and rates do not.",
        "",
        f"{machine['system']}, {machine['cores']} cores of {machine['processor']}, {machine['memory']}, "
        f"{machine['python']}, postrmagic-core {machine['postrmagic-core']}; {servers}.",
        "",
    ]


def _promises(document: Document) -> Iterator[str]:
    part = document["parts"].get("counters")
    if part is None:
        return
    yield from ("## What goes wrong, counted", "")
    yield "The same small experiment on every side; a peer is set up as its documentation says."
    yield from ("", "| what | ours | peers | promised |", "|---|---|---|---|")
    for figure, goal in goals()["counters"].items():
        ours = part["figures"].get(figure)
        value = number(ours) if ours is not None else part["missing"].get(figure, _ABSENT)
        promised = f"{goal.goal}, {verdict(goal, figure, ours)}" if goal.goal and ours is not None else ""
        if also := ", ".join(_also(part, figure, goal)):
            promised = f"{promised}; also by {also}" if promised else f"also by {also}"
        yield f"| {goal.what} | {value} | {'; '.join(_peers(part, figure))} | {promised} |"
    yield ""


def _peers(part: Mapping[str, Any], figure: str) -> Iterator[str]:
    prefix = f"{figure}_peer."
    for name, value in part["figures"].items():
        if name.startswith(prefix):
            yield f"{peer(name, prefix)} {number(value)}"
    for name, reason in part["missing"].items():
        if name.startswith(prefix):
            yield f"{peer(name, prefix)}: {reason}"


def _also(part: Mapping[str, Any], figure: str, goal: Goal) -> Iterator[str]:
    """The peers of whom the same is true."""
    prefix = f"{figure}_peer."
    for name, value in part["figures"].items():
        if name.startswith(prefix) and goal.met(value):
            yield peer(name, prefix)


def peer(figure: str, prefix: str) -> str:
    """Whose figure it is, in words."""
    name = figure.removeprefix(prefix)
    return PEERS.get(name, name)


def _proofs(document: Document) -> Iterator[str]:
    part = document["parts"].get("proofs")
    if part is None:
        return
    yield from ("## What is proved", "", "| | |", "|---|---|")
    for figure, goal in goals()["proofs"].items():
        if figure in part["figures"]:
            yield f"| {goal.what} | {number(part['figures'][figure])} |"
    yield ""


def _components(document: Document) -> Iterator[str]:
    yield from ("## Beside others, by component", "")
    yield "`_time_ratio`: our time over theirs, below 1 is faster; `_rate_ratio`, `_speedup`: above 1 is faster."
    yield ""
    for name, part in document["parts"].items():
        if name not in PROMISES and (rows := list(_rows(name, part["figures"]))):
            yield from (
                f"### `{name}`",
                "",
                "| figure | beside | measured | goal | |",
                "|---|---|---|---|---|",
            )
            yield from rows
            yield ""


def _rows(name: str, figures: Mapping[str, float]) -> Iterator[str]:
    """Those with a goal or a peer first, then the other ratios."""
    promised = goals().get(name, {})
    others = [figure for figure in figures if figure not in promised and is_ratio(figure)]
    for figure in [*promised, *others]:
        goal = promised.get(figure, Goal())
        if figure in figures:
            value = figures[figure]
            told = verdict(goal, figure, value)
            yield f"| `{figure}` | {goal.beside} | {number(value)} | {goal.goal} | {told} |"
        else:
            yield f"| `{figure}` | {goal.beside} | {_ABSENT} | {goal.goal} | |"


def _ahead(document: Document) -> Iterator[str]:
    rows = []
    for name, part in document["parts"].items():
        for figure, goal in goals().get(name, {}).items():
            value = part["figures"].get(figure)
            if value is not None and (times := behind(goal, figure, value)) is not None:
                rows.append((times, f"| {name} | `{figure}` | {goal.beside} | {number(1 / times)} |"))
    yield from ("## Where a peer is ahead", "")
    if rows:
        yield from ("| component | figure | who | times |", "|---|---|---|---|")
        yield from (row for _, row in sorted(rows))
    else:
        yield "Nowhere in this run."
    yield ""


def _containers(document: Document) -> Iterator[str]:
    taken = document["taken_over"]
    if not taken:
        return
    yield from ("## In containers", "", "Not of this run: from the reports of container runs, as they stand.", "")
    yield from ("| report | of | figure | measured |", "|---|---|---|---|")
    for name, report in taken.items():
        for figure, value in report["figures"].items():
            yield f"| [{name}]({name}.md) | {report['date']} | `{figure}` | {number(value)} |"
    yield ""


def _missing(document: Document) -> Iterator[str]:
    told = [
        f"- {name}, {what}: {reason}"
        for name, part in document["parts"].items()
        for what, reason in part["missing"].items()
        if "_peer." not in what
    ]
    told += [f"- {name}: **failed**, {reason.rpartition(' (')[0]}" for name, reason in document["failed"].items()]
    if told:
        yield from ("## Not measured", "", *told, "")


def _times(document: Document) -> Iterator[str]:
    yield from ("## How long it took", "", "| benchmark | minutes | figures | load before | |", "|---|---|---|---|---|")
    for name, part in document["parts"].items():
        scale = f"scale {part['figures']['scale']:g}" if "scale" in part["figures"] else ""
        count = sum(figure != "scale" for figure in part["figures"])
        yield f"| {name} | {part['seconds'] / 60:.1f} | {count} | {part['load']} | {scale} |"


def _versions(document: Document) -> Iterator[str]:
    yield from ("", "## Versions", "")
    yield ", ".join(f"{name} {version}" for name, version in document["packages"].items()) + "."


def judged(document: Document) -> Iterator[tuple[str, str, float, bool]]:
    """Benchmark, figure, value, and whether its goal is met: of each figure that has one."""
    for name, part in document["parts"].items():
        for figure, goal in goals().get(name, {}).items():
            value = part["figures"].get(figure)
            if value is not None and (met := goal.met(value)) is not None:
                yield name, figure, value, met


def worth_comparing(figure: str) -> bool:
    """Whether a figure can be compared between machines: a ratio, or a count that must not change."""
    return is_ratio(figure) or better(figure) == "same"
