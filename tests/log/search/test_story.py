"""The story of a request or job: what happened in what, and when."""

from __future__ import annotations

import random
from typing import Any

from postrmagic_core.log.search import Branch
from tests.log.search.rig import Logs

TRACE = "5a21601b84c0d6f6015dda369f752c4e"
REQUEST, JOB = "019ad3f2-7c1e-7b0a-9c55-000000000001", "019ad3f2-7c1e-7b0a-9c55-000000000002"
SPANS = "postrmagic_core.observability.traces"
ACCESS = "postrmagic_core.middleware.access"


def shape(branches: list[Branch]) -> list[Any]:
    """Kind, name and what is inside."""
    return [(branch.kind, branch.name, *([shape(branch.branches)] if branch.branches else [])) for branch in branches]


def access(logs: Logs, at: float, **fields: Any) -> dict[str, Any]:
    """A request as it is logged when it is over."""
    return logs.record("request", at=at, logger=ACCESS, **fields)


def span(logs: Logs, name: str, own: str, parent: str | None, at: float, ms: float, **fields: Any) -> dict[str, Any]:
    """A span as it is logged when it ends."""
    ids = {"trace_id": TRACE, "span_id": own * 16, "parent_id": parent and parent * 16}
    return logs.record("span", "debug", at, name=name, kind="internal", duration_ms=ms, **ids, **fields) | {
        "logger": SPANS
    }


def test_spans_hold_each_other_and_the_lines_in_them(logs: Logs) -> None:
    """By their ids, in the order in which they began; a request's own span holds it."""
    ids = {"trace_id": TRACE, "request_id": REQUEST}
    logs.log_all(
        [
            logs.record("uploaded", at=0.3, span_id="a" * 16, media_id=7, **ids),
            span(logs, "INSERT media", "b", "a", 0.35, 100, request_id=REQUEST),
            logs.record(
                "request", at=0.5, method="POST", path="/media", status=201, duration_ms=500, span_id="a" * 16, **ids
            )
            | {"logger": ACCESS},
            span(logs, "POST /media", "a", None, 0.51, 510, request_id=REQUEST),
            span(logs, "thumbnail", "c", "a", 3.0, 1000, job_id=JOB),
            logs.record(
                "thumbnail failed", "error", 2.9, span_id="c" * 16, trace_id=TRACE, job_id=JOB, task="thumbnail"
            ),
            logs.record("other", trace_id="f" * 32),
        ]
    )
    logs.collect()
    found = logs.found.story(TRACE)
    assert found.records == 6
    assert found.complete
    assert found.ids == {"trace_id": [TRACE], "request_id": [REQUEST], "job_id": [JOB]}
    assert shape(found.branches) == [
        (
            "request",
            "POST /media 201",
            [
                (
                    "span",
                    "POST /media",
                    [
                        ("span", "INSERT media"),
                        ("line", "uploaded"),
                        ("span", "thumbnail", [("line", "thumbnail failed")]),
                    ],
                )
            ],
        )
    ]
    request = found.branches[0]
    assert (request.offset, request.seconds) == (0.0, 0.5)
    assert round(request.branches[0].branches[2].offset, 3) == 2.0
    assert found.seconds == 3.0


def test_without_spans_lines_hang_below_their_job_and_request(logs: Logs) -> None:
    """And the job below the request that asked for it; one id leads to the others."""
    logs.log_all(
        [
            logs.record("uploaded", at=0.1, request_id=REQUEST, trace_id=TRACE),
            access(logs, 0.2, method="GET", path="/", status=200, duration_ms=200, request_id=REQUEST),
            logs.record("made", at=1, job_id=JOB, request_id=REQUEST, trace_id=TRACE, task="thumbnail"),
            logs.record("counted", at=2, trace_id=TRACE),
            logs.record("other", at=2, job_id="another"),
        ]
    )
    logs.collect()
    expected = [
        ("request", "GET / 200", [("line", "uploaded"), ("job", "thumbnail", [("line", "made")])]),
        ("line", "counted"),
    ]
    for lead in (JOB, REQUEST, TRACE, JOB.upper()):
        assert shape(logs.found.story(lead).branches) == expected


def test_hostile_spans_make_no_ring(logs: Logs) -> None:
    """Each is there once, whatever it says that it is in."""
    dice = random.Random(3)
    logs.log_all([span(logs, f"s{n}", f"{n:x}", f"{dice.randrange(16):x}", n, 1) for n in range(16)])
    logs.log_all(
        [span(logs, "self", "0", "0", 1, 1), logs.record("span", trace_id=TRACE, span_id=5) | {"logger": SPANS}]
    )
    logs.collect()
    found = logs.found.story(TRACE)
    seen: list[str] = []

    def walk(branches: list[Branch]) -> None:
        for branch in branches:
            seen.append(branch.name)
            walk(branch.branches)

    walk(found.branches)
    assert sorted(name for name in seen if name.startswith("s") and name[1:].isdigit()) == sorted(
        f"s{n}" for n in range(16)
    )


def test_a_story_without_end_is_cut(logs: Logs) -> None:
    """The newest are told, and that there is more."""
    logs.log_all(logs.record(f"e{n}", at=n, job_id=JOB) for n in range(2005))
    logs.collect()
    found = logs.found.story(JOB)
    assert (found.records, found.complete) == (2000, False)
    assert found.branches[0].branches[0].name == "e5"


def test_spans_in_each_other_without_end_are_borne(logs: Logs) -> None:
    """A chain of two thousand is told, to a depth that a program may walk."""
    ids = [f"{n:016x}" for n in range(2000)]
    base: dict[str, Any] = {"name": "deep", "trace_id": TRACE, "logger": SPANS, "duration_ms": 1}
    logs.log_all(
        logs.record("span", at=n, span_id=own, parent_id=ids[n - 1] if n else None, **base) for n, own in enumerate(ids)
    )
    logs.collect()
    found = logs.found.story(TRACE)
    assert found.records == 2000
    depth, inside = 0, found.branches
    while inside:
        depth, inside = depth + 1, inside[0].branches
    assert depth == 100
