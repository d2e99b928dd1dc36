"""Every Script answers the same from its Python and its Lua text, on every store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core.stores import Keys, Script, Store, open_store
from postrmagic_core.stores.scripts import (
    ADVANCE,
    ALL,
    GCRA,
    GCRA_PEEK,
    INVALIDATE,
    LEASE_ACQUIRE,
    LEASE_RELEASE,
    LEASE_RENEW,
    METRICS_FOLD,
    METRICS_PUBLISH,
    METRICS_READ,
    NOW,
    READ_TAGGED,
    SEMAPHORE_ACQUIRE,
    SEMAPHORE_RELEASE,
    SWAP,
)

K = Keys("app")
TAGS = [K.build("tag", name) for name in "ab"]
LEASE, FENCE, ROW, GUARD, ENTRY, BUCKET, SEMAPHORE = (
    K.build(kind, "x") for kind in ("lease", "fence", "row", "g", "e", "b", "s")
)
BUCKETS = [BUCKET, K.build("b", "y"), K.build("b", "z")]
OWNERS = st.sampled_from([b"A", b"B", b"\x00 1 \n", b"(%d+)"])
TTLS = st.sampled_from([1, 999, 1000, 60_000, 86_400_000])
BLOBS = st.sampled_from([b"00000001\x00a", b"00000002"])
ENDS = st.sampled_from([1, 2**53])
REVISIONS = st.sampled_from([b"", b"00000001", b"00000002"])

RATES = st.sampled_from([1, 1000, 333_333, 3_600_000_000])
HOLDERS = st.sampled_from([b"A", b"B", b"C", b"\x00 1 ", b"(%d+)", b""])


def asked(buckets: int) -> st.SearchStrategy[list[bytes | int]]:
    """Arguments of GCRA for so many buckets: rates and bursts, and mostly costs."""
    pairs = st.tuples(*[RATES, st.integers(1, 20)] * buckets)
    costs = st.one_of(st.just(()), st.tuples(*[st.integers(0, 6)] * buckets))
    return st.tuples(pairs, costs).map(lambda parts: [*parts[0], *parts[1]])


def swaps(rows: int) -> st.SearchStrategy[list[bytes | int]]:
    """Arguments of SWAP for so many rows."""
    one = st.tuples(REVISIONS, st.one_of(BLOBS, st.just(b"")), TTLS, st.one_of(ENDS, st.just(b"")))
    return st.tuples(*[one] * rows).map(lambda groups: [arg for group in groups for arg in group])


INDEX, ENDED = K.build("metrics", "index"), K.build("metrics", "retired")
NAMES = [b"0123456789abcdef", b"(%d+)[^ ]*$%1%%."]
PROCESSES = {name: K.build("metrics", b"p", name) for name in NAMES}
TELLINGS = st.sampled_from([1, 2])
BLOBS_TOLD = st.sampled_from([b"", b"\x00%d\n", b"figures"])


def tellings() -> st.SearchStrategy[Call]:
    """A process tells, with room for one or two."""
    return st.tuples(st.sampled_from(NAMES), TELLINGS, BLOBS_TOLD, st.sampled_from([1, 2])).map(
        lambda args: cast("Call", (METRICS_PUBLISH, [INDEX, PROCESSES[args[0]]], list(args)))
    )


def foldings() -> st.SearchStrategy[Call]:
    """Somebody folds, who read this or that."""
    row = st.one_of(st.just(b""), st.just(b"1"), st.just(b"\x00"), st.just(b"1 2"))
    ended = st.sampled_from([b"", b"1\n", b"2\n"])
    sums = st.sampled_from([b"1\nsums", b"2\n\x00"])
    return st.tuples(st.sampled_from(NAMES), row, ended, sums, TELLINGS, st.sampled_from([0, 999_000]), TTLS).map(
        lambda args: cast("Call", (METRICS_FOLD, [INDEX, PROCESSES[args[0]], ENDED], list(args)))
    )


Call = tuple[Script[object], list[bytes], list[bytes | int]]

CALLS = st.one_of(
    st.just((NOW, [], [])),
    st.tuples(st.just(READ_TAGGED), st.just([ENTRY, *TAGS]), st.tuples(TTLS).map(list)),
    st.tuples(st.just(INVALIDATE), st.sampled_from([TAGS, TAGS[:1]]), st.tuples(TTLS).map(list)),
    st.tuples(st.just(LEASE_ACQUIRE), st.just([LEASE, FENCE]), st.tuples(OWNERS, TTLS).map(list)),
    st.tuples(st.just(LEASE_RENEW), st.just([LEASE]), st.tuples(OWNERS, TTLS).map(list)),
    st.tuples(st.just(LEASE_RELEASE), st.just([LEASE]), st.tuples(OWNERS).map(list)),
    st.tuples(st.just(ADVANCE), st.just([ROW, GUARD]), st.tuples(st.integers(0, 5), TTLS).map(list)),
    st.lists(st.sampled_from([ROW, GUARD]), min_size=1, max_size=2, unique=True).flatmap(
        lambda rows: st.tuples(st.just(SWAP), st.just(rows), swaps(len(rows)))
    ),
    st.lists(st.sampled_from(BUCKETS), min_size=1, max_size=3, unique=True).flatmap(
        lambda buckets: st.tuples(st.just(GCRA), st.just(buckets), asked(len(buckets)))
    ),
    st.tuples(st.just(GCRA_PEEK), st.just([BUCKET]), st.tuples(RATES, st.integers(1, 20), st.just(0)).map(list)),
    st.tuples(st.just(SEMAPHORE_ACQUIRE), st.just([SEMAPHORE]), st.tuples(st.integers(1, 3), HOLDERS, TTLS).map(list)),
    st.tuples(st.just(SEMAPHORE_RELEASE), st.just([SEMAPHORE]), st.tuples(HOLDERS).map(list)),
    tellings(),
    foldings(),
    st.just((METRICS_READ, [INDEX, ENDED, *PROCESSES.values()], [])),
)
# Microseconds between calls: none, around a millisecond's end, around the times to live, and back.
STEPS = st.sampled_from([0, 0, 1, 999, 1000, 500_000, 999_000, 1_000_000, 59_999_999, 60_000_000, -1_000_000])


@pytest.fixture
def four(url_of: Callable[[str], str]) -> Iterator[list[Store]]:
    """One store of each kind."""
    with ExitStack() as stack:
        stores = [open_store(url_of(kind), timeout=5.0) for kind in ("memory", "sqlite", "mariadb", "redis")]
        yield [stack.enter_context(closing(store)) for store in stores]


@pytest.mark.mysql
@pytest.mark.redis
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.lists(st.tuples(CALLS, STEPS), min_size=1, max_size=12))
def test_every_script_answers_the_same_on_every_store(four: list[Store], calls: list[tuple[Call, int]]) -> None:
    """Any sequence of Scripts at any times gives one sequence of answers, and leaves the same values."""
    keys = [*TAGS, LEASE, FENCE, ROW, GUARD, ENTRY, *BUCKETS, SEMAPHORE, INDEX, ENDED, *PROCESSES.values()]
    now = (time.time_ns() // 1000) + 3_600_000_000  # ahead of every server's clock, which would end values by itself
    for store in four:
        store.delete(keys)
    for (script, names, args), step in calls:
        now += step
        answers = [store.run(script, names, args, now_us=now) for store in four]
        assert answers == [answers[0]] * 4, script.name
        values = [store.get(keys) for store in four]
        assert values == [values[0]] * 4, script.name


def test_no_script_is_left_out() -> None:
    """A new Script joins the property test above."""
    leases, limits = (
        {LEASE_ACQUIRE, LEASE_RENEW, LEASE_RELEASE},
        {GCRA, GCRA_PEEK, SEMAPHORE_ACQUIRE, SEMAPHORE_RELEASE},
    )
    metrics = {METRICS_PUBLISH, METRICS_FOLD, METRICS_READ}
    assert set(ALL) == {READ_TAGGED, INVALIDATE, SWAP, NOW, ADVANCE} | leases | limits | metrics


# What each of them means, told once, on every store.

THEN = 60 * 366 * 86_400 * 1_000_000  # injected: the year 2030


def test_a_tag_gets_a_generation_when_it_is_first_read(store: Store) -> None:
    """The entry comes with its tags' generations; the next reader sees the same ones."""
    store.set({ENTRY: b"value"}, None)
    first = store.run(READ_TAGGED, [ENTRY, *TAGS], [60_000], now_us=THEN)
    assert first == [b"value", THEN, THEN]
    assert store.run(READ_TAGGED, [ENTRY, *TAGS], [60_000], now_us=THEN + 5) == first


def test_an_invalidated_tag_has_a_generation_it_never_had(store: Store) -> None:
    """Later than the last, whatever the clock says; an evicted one returns later than it was."""
    assert store.run(INVALIDATE, TAGS[:1], [60_000], now_us=THEN) == [THEN]
    assert store.run(INVALIDATE, TAGS[:1], [60_000], now_us=THEN) == [THEN + 1]
    assert store.run(INVALIDATE, TAGS[:1], [60_000], now_us=THEN - 1_000_000) == [THEN + 2]
    store.delete(TAGS[:1])
    assert store.run(READ_TAGGED, [ENTRY, TAGS[0]], [60_000], now_us=THEN + 3) == [None, THEN + 3]


def test_what_is_no_generation_is_a_missing_one(store: Store) -> None:
    """Bytes that no Script wrote in a tag's place: a new generation is made, by who reads and by who invalidates."""
    for planted in (b"", b"?", b"-1", b"1.5", b" 7", b"0x7", b"1e3", b"9" * 16, b"9" * 400):
        store.set({TAGS[0]: planted}, None)
        assert store.run(READ_TAGGED, [ENTRY, TAGS[0]], [60_000], now_us=THEN) == [None, THEN], planted
        store.set({TAGS[0]: planted}, None)
        assert store.run(INVALIDATE, TAGS[:1], [60_000], now_us=THEN) == [THEN], planted
        assert store.get(TAGS[:1]) == [b"%d" % THEN], planted


def test_a_swap_needs_the_revision_it_read(store: Store) -> None:
    """Created once, replaced by who read it, refused to who did not, and never brought back."""

    def swap(expected: bytes, blob: bytes) -> list[object]:
        kept, _, *rows = store.run(SWAP, [ROW], [expected, blob, 60_000, b""])
        return [kept, *rows]

    assert swap(b"", b"00000001a") == [1]
    assert swap(b"", b"00000001b") == [0, b"00000001a"]
    assert swap(b"00000001", b"00000002a") == [1]
    assert swap(b"00000001", b"00000002b") == [0, b"00000002a"]
    store.delete([ROW])
    assert swap(b"00000002", b"00000003a") == [0, None]
    assert store.get([ROW]) == [None]


def test_several_rows_are_swapped_all_or_none(store: Store) -> None:
    """One made, one replaced and one dropped together; a row that another changed leaves all as they were."""
    store.set({TAGS[0]: b"00000001a", TAGS[1]: b"00000001b"}, 60_000)
    keys = [ROW, *TAGS[:2]]
    made: list[bytes | int] = [b"", b"00000001c", 60_000, b""]
    replaced: list[bytes | int] = [b"00000001", b"00000002a", 60_000, b""]
    dropped: list[bytes | int] = [b"00000001", b"", 60_000, b""]
    wrong: list[bytes | int] = [b"00000009", b"", 60_000, b""]
    kept, _, *rows = store.run(SWAP, keys, [*made, *replaced, *wrong])
    assert (kept, rows) == (0, [None, b"00000001a", b"00000001b"])
    assert store.get(keys) == [None, b"00000001a", b"00000001b"]
    kept, now, *rows = store.run(SWAP, keys, [*made, *replaced, *dropped])
    assert (kept, rows, isinstance(now, int)) == (1, [], True)
    assert store.get(keys) == [b"00000001c", b"00000002a", None]


SECOND, HOUR = 1_000_000, 3_600_000_000


def test_a_bucket_admits_its_burst_and_then_its_rate(store: Store) -> None:
    """Three at once, then one a second; the answer says when the bucket is full again."""
    ask = [SECOND, 3]
    answers = [store.run(GCRA, [BUCKET], ask, now_us=THEN) for _ in range(4)]
    assert answers == [[1, SECOND], [1, 2 * SECOND], [1, 3 * SECOND], [0, 3 * SECOND]]
    assert store.run(GCRA, [BUCKET], ask, now_us=THEN + SECOND - 1) == [0, 2 * SECOND + 1]
    assert store.run(GCRA, [BUCKET], ask, now_us=THEN + SECOND) == [1, 3 * SECOND]


def test_a_call_takes_from_all_its_buckets_or_from_none(store: Store) -> None:
    """Each has its rate, its burst and its cost; the second refuses, and the first keeps what it has."""
    ask = [SECOND, 10, HOUR, 2, 4, 1]
    assert store.run(GCRA, BUCKETS[:2], ask, now_us=THEN) == [1, 4 * SECOND, HOUR]
    assert store.run(GCRA, BUCKETS[:2], ask, now_us=THEN) == [1, 8 * SECOND, 2 * HOUR]
    assert store.run(GCRA, BUCKETS[:2], ask, now_us=THEN) == [0, 8 * SECOND, 2 * HOUR]
    assert store.run(GCRA, BUCKETS[:1], [SECOND, 10, 2], now_us=THEN) == [1, 10 * SECOND]
    assert store.run(GCRA_PEEK, BUCKETS[:2], [SECOND, 10, HOUR, 2, 0, 0], now_us=THEN) == [1, 10 * SECOND, 2 * HOUR]


def test_a_cost_above_the_burst_is_never_admitted(store: Store) -> None:
    """Not by a bucket nobody used either, and it takes nothing."""
    assert store.run(GCRA, [BUCKET], [SECOND, 3, 4], now_us=THEN) == [0, 0]
    assert store.get([BUCKET]) == [None]


def test_a_bucket_forgives_a_clock_that_was_ahead(store: Store) -> None:
    """Emptied an hour in the future, it is only empty now, and admits again after one interval."""
    for _ in range(3):
        store.run(GCRA, [BUCKET], [SECOND, 3], now_us=THEN + HOUR)
    assert store.run(GCRA_PEEK, [BUCKET], [SECOND, 3, 0], now_us=THEN) == [1, 3 * SECOND]
    assert store.run(GCRA, [BUCKET], [SECOND, 3], now_us=THEN) == [0, 3 * SECOND]
    assert store.run(GCRA, [BUCKET], [SECOND, 3], now_us=THEN + SECOND) == [1, 3 * SECOND]


def test_a_semaphore_has_so_many_places(store: Store) -> None:
    """The third waits for the first, an owner keeps its one place, and only an owner gives it back."""

    def acquire(owner: bytes, now: int) -> list[int]:
        return store.run(SEMAPHORE_ACQUIRE, [SEMAPHORE], [2, owner, 1000], now_us=now)

    assert acquire(b"a", THEN) == [1, 1]
    assert acquire(b"b", THEN + 400_000) == [1, 2]
    assert acquire(b"c", THEN + 400_000) == [0, 2, 600_000]
    assert acquire(b"a", THEN + 500_000) == [1, 2]
    assert acquire(b"c", THEN + 500_000) == [0, 2, 900_000]
    assert store.run(SEMAPHORE_RELEASE, [SEMAPHORE], [b"c"], now_us=THEN + 500_000) == [0]
    assert store.run(SEMAPHORE_RELEASE, [SEMAPHORE], [b"b"], now_us=THEN + 500_000) == [1]
    assert acquire(b"c", THEN + 500_000) == [1, 2]


def test_a_place_ends_by_itself(store: Store) -> None:
    """Whose owner died is free when its time is over, though its clock was an hour ahead."""
    for owner in (b"a", b"b"):
        store.run(SEMAPHORE_ACQUIRE, [SEMAPHORE], [2, owner, 1000], now_us=THEN + HOUR)
    assert store.run(SEMAPHORE_ACQUIRE, [SEMAPHORE], [2, b"c", 1000], now_us=THEN) == [0, 2, SECOND]
    assert store.run(SEMAPHORE_ACQUIRE, [SEMAPHORE], [2, b"c", 1000], now_us=THEN + SECOND) == [1, 1]
    assert store.run(SEMAPHORE_RELEASE, [SEMAPHORE], [b"a"], now_us=THEN + SECOND) == [0]
