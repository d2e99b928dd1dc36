"""A broker on SQLite or MySQL that keeps the arguments of jobs compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Self

from postrmagic_core.jobs.adapter import BrokerOptions, SqlBroker, Taker
from postrmagic_core.jobs.interface import Claim, JobRecord, NewJob, Selection, Settlement, Turn, Want


class PackedBroker(SqlBroker):
    """The shipped adapter, which sees nothing but bytes in a job's payload."""

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """``packed+sqlite:///jobs.db`` or ``packed+mysql://…``; no I/O yet."""
        return super().from_url(url.removeprefix("packed+"), options)

    def put_in(self, tx: Any, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """What ``put`` calls, too."""
        return super().put_in(tx, [replace(job, payload=zlib.compress(job.payload)) for job in jobs])

    def turn(self, settlements: Sequence[Settlement], want: Want | None) -> Turn:
        """Where workers get jobs."""
        turn = super().turn(settlements, want)
        return replace(turn, claims=[unpacked(claim) for claim in turn.claims])

    @contextmanager
    def serve(self, taker: Taker) -> Iterator[None]:
        """Where an idle worker of this process gets one from the unit that enqueues it."""
        with super().serve(Unpacking(taker)):
            yield

    def records(self, selection: Selection) -> Sequence[JobRecord]:
        """Where people look at them."""
        return [unpacked(record) for record in super().records(selection)]


class Unpacking:
    """A worker, in front of which jobs are unpacked."""

    def __init__(self, taker: Taker) -> None:
        self.offer = taker.offer
        self._taker = taker

    def take(self, claim: Claim) -> None:
        """Hand it on."""
        self._taker.take(unpacked(claim))


def unpacked(job: Any) -> Any:
    """A claim, or a record, as it was enqueued."""
    with suppress(zlib.error):  # enqueued before there was this broker: it is as it was
        return replace(job, payload=zlib.decompress(job.payload))
    return job
