"""Which jobs a selection means: by id, or out of the sorted sets, a bounded step at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._clock import from_us
from ...stores.redis_client import RedisClient
from ..interface import DEAD, LIVE, PRIORITIES, JobRecord, Selection
from ._redis_words import FIELDS, record

# Jobs read, and ids looked through, in one exchange: the server answers others in between.
BATCH = 500
_CHUNK = 10_000


def found(client: RedisClient, prefix: bytes, selection: Selection) -> list[JobRecord]:
    """The jobs: by ids in their order, else those with the greatest ids first.

    Where a sorted set is longer than a chunk, those of its end go first, which became due or ended last.
    """
    records: list[JobRecord] = []
    for ids in _candidates(client, prefix, selection):
        commands = [("HMGET", b"%sjob:%s" % (prefix, job_id), *FIELDS) for job_id in ids]
        for job_id, values in zip(ids, client.commands(*commands, writes=False), strict=True):
            job = record(job_id.decode(errors="replace"), values)
            if job is not None and _fits(job, selection):
                records.append(job)
        if selection.ids is None and len(records) >= selection.limit:
            return records[: selection.limit]
    return records


def batches(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The ids in pieces that one exchange bears."""
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _fits(job: JobRecord, selection: Selection) -> bool:
    status = job.status
    if selection.ids is None and status.state not in selection.states:
        return False
    if selection.queue is not None and status.queue != selection.queue:
        return False
    if selection.task is not None and status.task != selection.task:
        return False
    before = None if selection.before_us is None else from_us(selection.before_us)
    return before is None or (status.ended_at is not None and status.ended_at < before)


def _candidates(client: RedisClient, prefix: bytes, selection: Selection) -> Iterator[Sequence[bytes]]:
    if selection.ids is not None:
        yield from batches([job_id.encode() for job_id in dict.fromkeys(selection.ids)])
        return
    keys = _sets(client, prefix, selection)
    seen: set[bytes] = set()
    start = 0
    while keys:
        commands = [("ZRANGE", key, start, start + _CHUNK - 1, "REV") for key in keys]
        replies = client.commands(*commands, writes=False)
        fresh = {job_id for ids in replies for job_id in ids} - seen
        seen |= fresh
        yield from batches(sorted(fresh, reverse=True))
        start += _CHUNK
        keys = [key for key, ids in zip(keys, replies, strict=True) if len(ids) == _CHUNK]


def _sets(client: RedisClient, prefix: bytes, selection: Selection) -> list[bytes]:
    kinds: list[bytes] = []
    states = frozenset(selection.states)
    for kind, of in ((b"waiting", LIVE - {"running"}), (b"running", {"running"})):
        if states & of:
            kinds += [b"%s:%d" % (kind, place) for place in range(len(PRIORITIES))]
    kinds += [b"letters"] if states & DEAD else []
    kinds += [b"ended"] if states & {"succeeded", "cancelled"} else []
    if not kinds:
        return []
    if selection.queue is not None:
        queues = [selection.queue.encode()]
    else:
        queues = sorted(client.commands(("SMEMBERS", prefix + b"queues"), writes=False)[0])
    return [b"%s%s:%s" % (prefix, kind, queue) for queue in queues for kind in kinds]
