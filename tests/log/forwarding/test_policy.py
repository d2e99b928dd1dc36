"""When a forwarder tries again, and what an answer means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from postrmagic_core.log.forwarding.policy import asked_pause, batches, halves, pause, refuses

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def test_pauses_grow_from_half_a_second_to_a_minute() -> None:
    """Each twice the one before until then, never less than half of it."""
    assert [pause(failures, 0.0) for failures in range(1, 10)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert [pause(failures, 1.0) for failures in (1, 5, 7, 10_000)] == [1, 16, 60, 60]


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 3600),
        ("Thu, 01 Jan 2026 12:01:30 GMT", 90),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 3600),
        ("Thu, 01 Jan 2026 12:01:30", None),
        ("Thu, 01 Jan 99999999999999999999 12:01:30 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(told: str | None, seconds: float | None) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3), at most an hour; what is neither says nothing."""
    assert asked_pause(told, NOW) == seconds


def test_what_refuses() -> None:
    """A malformed body and one that is too large; that a path or a token is wrong somebody can mend."""
    assert [status for status in range(300, 600) if refuses(status)] == [400, 413]


def test_batches_are_of_a_thousand_objects() -> None:
    """In order; what is none is left out and counted."""
    lines = [b'{"n":%d}' % number for number in range(2500)]
    groups, left_out = batches([*lines[:7], b'{"half":{"a"}', b"[]", b'{"a":1}{"b":2}', *lines[7:]])
    assert [len(group) for group in groups] == [1000, 1000, 500]
    assert [line for group in groups for line in group] == lines
    assert left_out == 3
    assert halves(lines[:3]) == [lines[:1], lines[1:3]]
    assert batches([]) == ([], 0)
