# pyright: strict
"""What is done later; a call of it is checked where it is written."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from postrmagic_core.jobs import Call, JobContext, task


@task
def make_thumbnail(ctx: JobContext, poster_id: int, width: int = 320) -> str:
    """Make it, and say where it is."""
    with ctx.write():
        return f"{poster_id}-{width}.webp"


@task(queue="mail", retries=3, time_limit=10)
async def send(ctx: JobContext, to: str, *, subject: str) -> None:
    """Send a mail."""


def calls() -> list[Call]:
    """What may be enqueued."""
    call = make_thumbnail.call(7, width=640)
    assert_type(call, Call)
    assert_type(make_thumbnail.name, str)
    return [call, send.call("ada@example.org", subject="Your poster")]


def at_once(ctx: JobContext) -> str:
    """Run it without a queue."""
    found = make_thumbnail(ctx, 7)
    assert_type(found, str)
    return found


LATER = timedelta(minutes=5)
