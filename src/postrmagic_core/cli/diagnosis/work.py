"""What waits in outbox and queues, and whether there is anybody who does it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING, Any

from ...database.outbox import counted
from ...database.tables import outbox as outbox_table
from ...errors import PostrMagicError
from ...jobs import tables
from ...jobs.interface import BrokerOptions
from ...jobs.schedules import rows
from ...jobs.workers import alive
from ...registry import BROKERS, Registry
from ..words import span
from .interface import Finding, Patient, advice, ok, problem, unknown
from .read_only import Missing, Reading, path_of, reading

if TYPE_CHECKING:
    from datetime import datetime

    from ...database.interface import OutboxCount
    from ...jobs.interface import Counts

# Seconds that something due may wait where somebody is there for it: what alerts take, too.
LATE = 300.0
# Seconds for which a worker that tells nothing is taken for alive.
ALIVE = 60.0
_JOBS, _OUTBOX = "how-to/look-after-jobs.md", "how-to/work-with-the-outbox.md"
_WORKERS, _SCHEDULES = "how-to/run-workers.md", "how-to/run-jobs-on-a-schedule.md"


def look(patient: Patient) -> Iterator[Finding]:
    """Outbox, jobs, workers, schedules, as the database and the broker tell of them."""
    try:
        with reading(
            patient.settings.database_url(), outbox_table, tables.jobs, tables.workers, tables.schedules
        ) as tx:
            unit: Any = tx  # of a unit it has what reads
            now = rows.now(unit)
            yield from outbox(counted(tx.connection), now)
            workers = [one.queues for one in alive(unit)]
            yield from scheduled(rows.found(unit), now)
            with _counts(patient, tx) as counts:
                yield from jobs(counts, workers, patient.app)
            yield from _tasks(patient)
    except Missing:
        yield ok("nothing waits: there are no tables yet")
    except PostrMagicError:
        yield unknown("what waits cannot be asked for: see database, schema and redis")


def outbox(counts: Mapping[str, OutboxCount], now: datetime) -> Iterator[Finding]:
    """Rows that nobody forwards, and rows that were given up."""
    for topic, count in sorted(counts.items()):
        if count.dead:
            yield advice(
                f"outbox rows of {topic} that were given up: {count.dead}",
                f"`postrmagic outbox list --state dead --topic {quote(topic)}` says why; `postrmagic outbox retry`",
                f"{_OUTBOX}#deliver-dead-rows-after-all",
            )
        if count.waiting and count.oldest_at is not None and (now - count.oldest_at).total_seconds() > LATE:
            yield problem(
                f"outbox rows of {topic} that wait: {count.waiting}, one since {count.oldest_at:%Y-%m-%d %H:%M} UTC; "
                "no relay forwards them, or what they are for does not answer",
                "run `postrmagic worker`, whose process has the relay; look at its log",
                _WORKERS,
            )
    if not any(count.waiting + count.dead for count in counts.values()):
        yield ok("nothing waits in the outbox")


def scheduled(found: Mapping[str, rows.Row], now: datetime) -> Iterator[Finding]:
    """Ticks that are past, which no scheduler has fired."""
    late = [row.name for row in found.values() if not row.paused and row.next_at < now - timedelta(seconds=LATE)]
    if late:
        yield problem(
            f"schedules are late: {', '.join(sorted(late)[:5])}: no scheduler runs that knows them",
            "run `postrmagic worker`; `postrmagic schedules forget NAME` for one that is no more",
            _SCHEDULES,
        )
    elif found:
        yield ok(f"schedules are on time, all of {len(found)}")


def jobs(counts: Mapping[str, Counts], workers: Sequence[Sequence[str]], app: str | None) -> Iterator[Finding]:
    """Dead letters, and jobs that are due for which nobody comes."""
    named = f" --app {app or 'MODULE:STACK'}"
    served = {queue for queues in workers for queue in queues}
    for queue, count in sorted(counts.items()):
        if count.dead:
            yield advice(
                f"jobs of the queue {queue} that were given up: {count.dead}",
                f"`postrmagic jobs list --state dead --queue {quote(queue)}{named}` says why; `postrmagic jobs replay`",
                f"{_JOBS}#replay-dead-letters",
            )
        # A worker may be about to come for what is new; 0 where the broker cannot tell how old it is.
        if count.queued and queue not in served and not 0 < count.oldest <= ALIVE:
            yield problem(
                f"jobs of the queue {queue} that are due: {count.queued}, the oldest for {span(count.oldest)}; no "
                "worker of that queue tells of itself",
                f"postrmagic worker{named}",
                _WORKERS,
            )
        elif count.queued and queue in served and count.oldest > LATE:
            yield advice(
                f"a job of the queue {queue} has been due for {span(count.oldest)}: workers do not keep up",
                "more threads (POSTRMAGIC_JOBS__THREADS) or more workers; `postrmagic jobs watch` shows what they do",
                f"{_WORKERS}#how-many",
            )
    yield ok(f"workers that tell of themselves: {len(workers)}" if workers else "no worker tells of itself now")


@contextmanager
def _counts(patient: Patient, tx: Reading) -> Iterator[Mapping[str, Counts]]:
    """What the broker keeps; RabbitMQ keeps nothing, its jobs are rows."""
    settings = patient.settings
    url = settings.broker_url()
    if url.startswith("amqp"):
        url = settings.database_url()
    own = path_of(url)
    if own is not None and own != path_of(settings.database_url()):
        with reading(url) as apart, _broker(patient, url, apart) as counts:
            yield counts
        return
    with _broker(patient, url, tx) as counts:
        yield counts


@contextmanager
def _broker(patient: Patient, url: str, tx: Any) -> Iterator[Mapping[str, Counts]]:
    room = patient.settings.jobs
    options = BrokerOptions(room.namespace, tx, room.lease, random.SystemRandom().random)
    with closing(Registry().load(BROKERS, url).from_url(url, options)) as broker:
        yield broker.counts()


def _tasks(patient: Patient) -> Iterator[Finding]:
    """What the application declares."""
    if patient.stack is not None:
        queue = patient.stack.jobs
        names = [name for name in queue.tasks if not name.startswith("postrmagic.")]
        yield ok(f"what the application declares: tasks {len(names)}, schedules {len(queue.scheduled)}")
