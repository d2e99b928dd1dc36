"""Jobs on their way through the outbox."""

from __future__ import annotations

import pytest

from postrmagic_core._codec import encode
from postrmagic_core.errors import DecodeError
from postrmagic_core.jobs import Unique
from postrmagic_core.jobs.interface import NewJob
from postrmagic_core.jobs.staged import packed, unpacked


@pytest.mark.parametrize("unique", [None, Unique("k"), Unique("k", scope="window", seconds=2.5)])
def test_a_staged_job_arrives_as_it_was(unique: Unique | None) -> None:
    """With its priority, what it carries, its key and how long it is kept."""
    job = NewJob("id", "mail", "send", 3, b"arguments", 7, "high", b"headers", unique, 60.0)
    assert unpacked(packed(job)) == job


def test_what_an_older_version_staged_is_delivered_too() -> None:
    """It had six fields; the others are what they are by default."""
    assert unpacked(encode(["id", "mail", "send", 3, b"arguments", 7])) == NewJob(
        "id", "mail", "send", 3, b"arguments", 7
    )


@pytest.mark.parametrize("staged", [[], ["id"], ["id", "mail", "send", 3, b"", 0, "high"], 7, "nonsense", [1] * 11])
def test_anything_else_is_refused(staged: object) -> None:
    """The row stays in the outbox, and is shown."""
    with pytest.raises(DecodeError):
        unpacked(encode(staged))
